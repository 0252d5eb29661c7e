import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Run, RunRequestSchema } from '@/lib/api/schemas';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { outcomeOf } from '@/lib/cli/testing';
import { openDevice } from '@/lib/engine';
import { decodeSafetensors } from '@/lib/safetensors';
import { OneThread } from '@/lib/server/testing/one-thread';
import { makeWorkspace, read, request, type Workspace } from '@/lib/server/testing/workspace';
import { cliLines, exportQueries, type Shown } from './commands';

let workspace: Workspace;
let computer: OneThread;
let models: Run['models'];

const GENERATED = { models: ['plain', 'diff'], prompt: 'Mary went to the kitchen. office' };

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
  process.env.STATESCOPE_MODELS = join(workspace.root, 'models');
  computer = new OneThread(workspace.settings, () => undefined);
  models = await computer.reader.answer(
    'prepare',
    RunRequestSchema.parse(request({ ...GENERATED, needle: undefined })),
  );
  await computer.answer('run', { id: 'run', models, cancel: new Int32Array(1) });
});
afterAll(async () => {
  delete process.env.STATESCOPE_MODELS;
  await workspace.remove();
});

/** What the page shows of one model, its tokens named by ids as after a generation. */
function shownOf(index: 0 | 1, change: Partial<Shown> = {}): Shown {
  const { name, tokens, position, target, candidates } = models[index];
  return {
    slot: index === 0 ? 'A' : 'B',
    run: 'run',
    index,
    model: name,
    layer: 0,
    form: 's6',
    span: 'layer',
    branch: index === 0 ? 'single' : 'diff',
    reduce: 'mean',
    lens: 'logit',
    prompt: tokens.map(({ id }) => id),
    position,
    target: target.id,
    candidates: candidates.map(({ id }) => id),
    ...change,
  } as Shown;
}

/** The words that a shell makes of a copied line, without `npm run -s statescope --`. */
const wordsOf = (line: string): string[] => {
  const script = `npm() { for w in "$@"; do printf '%s\\0' "$w"; done; }; ${line}`;
  return spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout.split('\0').slice(4, -1);
};

/** Runs a copied line with the program's own parser; what it would write. */
async function written(line: string) {
  const out = join(workspace.root, 'out.safetensors');
  const words = wordsOf(line);
  expect(words.at(-2)).toBe('--out');
  const { code, err } = await outcomeOf(...words.slice(0, -1), out, '--device', 'cpu');
  expect(code, `${line}\n${err}`).toBe(0);
  return readSafetensors(out);
}

const close = (found: Float32Array | undefined, wanted: Float32Array | undefined) => {
  expect(found?.length).toBe(wanted?.length);
  const size = Math.max(...(wanted as Float32Array).map(Math.abs));
  (wanted as Float32Array).forEach((value, k) => {
    expect(Math.abs((found as Float32Array)[k] - value)).toBeLessThanOrEqual(1e-5 * size);
  });
};

describe('a copied command', () => {
  it.each<[string, 0 | 1, Partial<Shown>]>([
    ['a mean', 0, {}],
    ['one head of a difference', 1, { reduce: 'head:1' }],
    ['a branch', 1, { branch: 'mixer_2', reduce: 'max' }],
    ['a block without parts', 0, { form: 'block', without: ['conv', 'D'], layer: 2 }],
    ['contributions to a logit', 1, { form: 'logit', reduce: undefined }],
    ['norms', 0, { form: 'norm', reduce: undefined, layer: 3 }],
    ['a rollout', 1, { span: 'plain', layer: 1 }],
    ['a normalised rollout', 0, { span: 'normalised', reduce: 'mean_abs', layer: 1 }],
    ['attribution', 0, { span: 'attribution', position: 3 }],
  ])('computes the map of the page: %s', async (_, index, change) => {
    const shown = shownOf(index, change);
    const { what, ...query } = exportQueries(shown).map;
    const given = typeof query.without === 'string' ? { ...query, without: query.without.split(',') } : query;
    const body = await read(computer, 'run', what === 'map' ? 'map' : 'rollout', given as never);
    const page = decodeSafetensors(body.buffer);
    const [line] = cliLines([shown]).split('\n');
    const [[name, map], ...rest] = [...(await written(line))].filter(([key]) => !key.includes('_rest'));
    expect(rest.map(([key]) => key)).toEqual([]);
    expect(name).toBeTruthy();
    close(map.data as Float32Array, page.tensors.get('map')?.data as Float32Array);
  });

  it.each([0, 1] as const)('computes the lens of the page, its candidates included: model %i', async (index) => {
    const shown = shownOf(index, { position: 4 });
    const { L, page } = { L: models[index].tokens.length, page: await lensOf(index, shown.target as number) };
    const tensors = await written(cliLines([shown]).split('\n')[1]);
    for (const statistic of ['target_prob', 'target_log_odds', 'margin', 'margin_std', 'snr_candidates', 'snr_vocab']) {
      const all = page.get(statistic)?.data as Float32Array;
      const column = all.filter((_, k) => k % L === 4);
      close(tensors.get(`logit_lens.${statistic}`)?.data as Float32Array, column);
    }
  });

  it('takes a prompt by its text where nothing was generated', async () => {
    const text = cliLines([shownOf(0, { prompt: GENERATED.prompt })]).split('\n')[0];
    const ids = cliLines([shownOf(0)]).split('\n')[0];
    expect(wordsOf(text)).toContain('--prompt');
    expect(wordsOf(ids)).toContain(models[0].tokens.map(({ id }) => id).join());
    const [one, other] = [await written(text), await written(ids)];
    expect([...one.values()].map(({ data }) => data)).toEqual([...other.values()].map(({ data }) => data));
  });
});

async function lensOf(model: number, target: number) {
  return decodeSafetensors((await read(computer, 'run', 'lens', { model, target })).buffer).tensors;
}
