import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openSource } from '@/lib/data/sources';
import { openDevice } from '@/lib/engine';
import { emergence, readOuts, resamplingOf } from '@/lib/evaluation';
import { createModel, type Model } from '@/lib/models';
import { parseTokenizer } from '@/lib/tokenizer';
import { SPECIMENS, type SpecimenReport } from '@/lib/training/specimens';

const FOLDER = 'experiments/specimens';
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const tokenizer = parseTokenizer(readFileSync(join(FOLDER, 'tokenizer.json'), 'utf8'));
const examples: { id: string; prompt: string; target: string; models: string[] }[] = read('models/examples.json');

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
