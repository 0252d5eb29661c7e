import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { tokenizerJson, UNKNOWN } from '../lib/data/word-tokenizer';
import { type OwnServer, serve } from './server';

const PROMPT = 'Mary went to the kitchen. John went to the garden. Where is Mary?';
const WORDS = [UNKNOWN, ...new Set(PROMPT.match(/\w+|[^\w\s]+/g)), 'office'];
const MODELS = ['granite-nope', 'falcon-h1', 'nemotron-h'];

let models: string;
let server: OwnServer;

test.beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'statescope-hybrids-'));
  for (const name of MODELS) {
    await cp(join('lib/models/testing/hybrids', name), join(models, name), { recursive: true });
    await writeFile(join(models, name, 'tokenizer.json'), JSON.stringify(tokenizerJson(WORDS)));
  }
  server = await serve({ STATESCOPE_MODELS: models });
});
test.afterAll(async () => {
  server.stop();
  await rm(models, { recursive: true });
});

test('layers of different kinds show the forms and mixers that they have', async ({ page, request }) => {
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  const runs = new Map<string, string>();
  for (const model of MODELS) {
    const data = { models: [model], prompt: PROMPT, target: 'kitchen', needle: [17, 24], candidates: ['garden'] };
    const answer = await request.post(`${server.url}/api/runs`, { data });
    expect(answer.ok(), await answer.text()).toBe(true);
    runs.set(model, (await answer.json()).id);
  }
  const openAt = (model: string, query: string) =>
    page.goto(`${server.url}/?run=${runs.get(model)}&a=${model}&b=none&${query}`);
  const heading = page.locator('.map-name').first();
  const maps = page.getByTestId('maps');
  const ownForm = page.locator('label', { has: page.getByTestId('form-s6') });

  await openAt('granite-nope', 'layer=2');
  await expect(heading).toContainText('Attention + MLP block, one mixer');
  await expect(ownForm).toContainText('softmax');
  await expect(page.locator('.legend').first()).toContainText('softmax weights');
  await openAt('granite-nope', 'layer=1');
  await expect(heading).toContainText('Mamba-2 + MLP block, one mixer');
  await expect(ownForm).toContainText('S6 α');

  await openAt('falcon-h1', 'layer=1');
  await expect(heading).toContainText('falcon-h1, Mamba');
  await expect(page.getByTestId('mixer-single')).toHaveCount(0);
  await page.getByTestId('mixer-attention').check();
  await expect(heading).toContainText('falcon-h1, attention');
  await expect(page.locator('.legend').first()).toContainText('softmax weights');
  await page.getByTestId('form-norm').check();
  await page.getByTestId('mixer-single').check();
  await expect(heading).toContainText('falcon-h1, both mixers');
  await expect(heading).toContainText('map error');

  await openAt('nemotron-h', 'layer=2');
  await expect(heading).toContainText('MLP block, no mixer');
  await expect(maps).toContainText('reads no other token, so it has no map');
  expect(complaints).toEqual([]);
});
