import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { allocation, CLASS } from '@/lib/analysis/allocation';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openSource } from '@/lib/data/sources';
import { openDevice } from '@/lib/engine';
import { emergence, readOuts, resamplingOf } from '@/lib/evaluation';
import { createModel, type Model } from '@/lib/models';
import { parseTokenizer, tokenSpan } from '@/lib/tokenizer';
import type { SpecimenReport } from '@/lib/training/specimen-report';
import { SEEDS, SPECIMENS, seedsComparison } from '@/lib/training/specimens';

const FOLDER = 'experiments/specimens';
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const tokenizer = parseTokenizer(readFileSync(join(FOLDER, 'tokenizer.json'), 'utf8'));
interface Example {
  id: string;
  prompt: string;
  target: string;
  needle: [number, number];
  models: string[];
  layer?: number;
}
const examples: Example[] = read('models/examples.json');

describe.each(SPECIMENS.map((file) => read(join(FOLDER, `${file}.json`)) as { name: string; seed: number }))(
  '$name',
  ({ name, seed }) => {
    const folder = join('models', name);
    const report: SpecimenReport = read(join(FOLDER, 'reports', `${name}-seed${seed}.json`));
    let model: Model;
    beforeAll(async () => {
      await openDevice();
      model = createModel({ ...(await loadCheckpoint(folder)), name });
    });

    it('is small enough for git, and reads the tokens of the stories', () => {
      expect(statSync(join(folder, 'model.safetensors')).size).toBeLessThan(8e6);
      expect(read(join(folder, 'tokenizer.json'))).toEqual(read(join(FOLDER, 'tokenizer.json')));
    });

    it('answers held-out questions as its report says, and comes to them in the same blocks', async () => {
      const rows = readOuts(await openSource(read(join(FOLDER, 'questions.json'))), 'test', ['one-hop', 'two-hop'], 48);
      const { labels, p } = emergence(model, rows, resamplingOf(1, 50));
      for (const [i, { accuracy }] of labels.entries())
        expect(Math.abs(accuracy.mean - report.labels[i].accuracy.mean)).toBeLessThan(0.15);
      p.forEach((value, block) => {
        expect(Math.abs(value - report.p[block])).toBeLessThan(0.12);
      });
    });

    it('answers the examples that are made for it', () => {
      const own = examples.filter(({ models }) => models.includes(name));
      expect(own.length).toBeGreaterThan(2);
      for (const { id, prompt, target } of own) {
        const { ids } = tokenizer.encode(prompt);
        const best = tf.tidy(() => model.forward([[...ids]], { logits: 'last' }).flatten().argMax().dataSync()[0]);
        expect(tokenizer.decode([best]), id).toBe(target);
      }
    });
  },
);

it('compares the seeds as their reports say', async () => {
  const [path, text] = await seedsComparison();
  expect(readFileSync(path, 'utf8')).toBe(text);
  for (const seed of SEEDS) expect(text.match(new RegExp(`^\\| ${seed} \\| \\d+ \\|`, 'gm'))).toHaveLength(2);
});

it('opens each example at the block in which the needle that is shown raises the answer most, of both models', async () => {
  await openDevice();
  const names = SPECIMENS.map((file) => read(join(FOLDER, `${file}.json`)).name as string);
  const models = await Promise.all(names.map(async (name) => createModel(await loadCheckpoint(join('models', name)))));
  const own = examples.filter(({ layer }) => layer !== undefined);
  expect(own.map(({ models: pair }) => pair)).toEqual(own.map(() => names));
  expect(own.length).toBeGreaterThan(2);
  for (const { id, prompt, target, needle, layer } of own) {
    const { ids, tokens } = tokenizer.encode(prompt);
    const [answer] = tokenizer.encode(target).ids;
    const request = { tokens: ids, target: answer, needle: tokenSpan(tokens, needle) as [number, number] };
    const reads = models.map((model) => allocation(model, request).map(({ net }) => net.logit[CLASS.needle]));
    const raised = reads[0].map((value, block) => value + reads[1][block]);
    expect(layer, id).toBe(raised.indexOf(Math.max(...raised)));
  }
});
