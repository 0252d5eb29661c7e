import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError, writeSafetensors } from '@/lib/checkpoint';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import { LENS_STATISTICS, type LensStatistic } from '@/lib/vocabulary';
import { referenceFolder } from '@/testing/references';
import { type Lens, lensOf, readTunedLens, residualsOf } from '.';
import { bundledCase, loadModel } from './testing/fixtures';

beforeAll(async () => {
  await openDevice();
});

type Stored = Exclude<LensStatistic, 'margin' | 'margin_std' | 'target_log_odds'> | 'log_odds';
type Expected = Record<Stored, number[][][]>;

/** Statistics that the reference stores under the name. It calls a margin log-odds. */
const STORED = [
  ...LENS_STATISTICS.filter((name) => name !== 'margin' && name !== 'margin_std' && name !== 'target_log_odds'),
  'log_odds',
] as const satisfies readonly Stored[];
const nameOf = (stored: Stored): LensStatistic => (stored === 'log_odds' ? 'margin' : stored);

/** What the reference's log-probabilities of one row make of the others. */
function othersOf(logProbs: Float32Array, target: number) {
  const p = Math.exp(logProbs[target]);
  const others = [...logProbs].filter((_, id) => id !== target);
  const mean = others.reduce((sum, value) => sum + value, 0) / others.length;
  const std = Math.sqrt(others.reduce((sum, value) => sum + (value - mean) ** 2, 0) / others.length);
  return { target_log_odds: Math.log(p / (1 - p)), margin_std: (logProbs[target] - Math.max(...others)) / std };
}

/** Tokens whose logit is within 1e-4 of the target's may change places with it. */
function rankSlack(logProbs: Float32Array, target: number): number {
  return logProbs.reduce(
    (count, value, j) => count + (j !== target && Math.abs(value - logProbs[target]) < 1e-4 ? 1 : 0),
    0,
  );
}

function expectLens(got: Lens, expected: Expected, logProbs: Float32Array, targets: number[], V: number) {
  const P = got.positions.length;
  for (const name of STORED)
    expected[name].forEach((rows, entry) => {
      rows.forEach((values, row) => {
        values.forEach((value, position) => {
          const column = (entry * got.B + row) * P + position;
          const at = logProbs.subarray(column * V, (column + 1) * V);
          const tolerance = name === 'target_rank' ? rankSlack(at, targets[row]) : 1e-4;
          const difference = Math.abs(got.statistics[nameOf(name)][column] - value);
          expect(difference, `${name}, entry ${entry}, row ${row}, position ${position}`).toBeLessThanOrEqual(
            tolerance,
          );
          if (name !== 'log_odds') return;
          for (const [other, wanted] of Object.entries(othersOf(at, targets[row])))
            expect(Math.abs(got.statistics[other as LensStatistic][column] - wanted), other).toBeLessThan(1e-4);
        });
      });
    });
}

describe.each(['mamba', 'mamba2'])('lenses of %s', (name) => {
  const folder = referenceFolder('lens', name) as string;

  it('give every statistic of the reference', async () => {
    const model = await loadModel(folder);
    const { V } = model.config;
    const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
    const stored = await readSafetensors(join(folder, 'expected.safetensors'));
    const { tokens, targets, candidates } = expected;
    const residuals = residualsOf(model, tokens);
    const logProbs = (lens: string) => stored.get(`${lens}.log_probs`)?.data as Float32Array;

    const logit = lensOf(model, residuals, { targets, candidates });
    expect(logit.entries).toEqual(expected.entries);
    expectLens(logit, expected.logit_lens, logProbs('logit_lens'), targets, V);

    const translators = await readTunedLens(join(folder, 'tuned'), model.config.d);
    const tuned = lensOf(model, residuals, { targets, candidates, translators });
    expect(tuned.entries).toEqual(expected.tuned_entries);
    expectLens(tuned, expected.tuned_lens, logProbs('tuned_lens'), targets, V);
    model.dispose();
  });

  it('give the statistics of the last position of many prompts', async () => {
    const model = await loadModel(folder);
    const { prompts, logit_lens } = JSON.parse(readFileSync(join(folder, 'aggregate.json'), 'utf8'));
    type Prompt = { tokens: number[]; target: number; candidates: number[] };
    (prompts as Prompt[]).forEach(({ tokens, target, candidates }, index) => {
      const request = { targets: [target], candidates: [candidates], positions: [tokens.length - 1] };
      const { statistics } = lensOf(model, residualsOf(model, [tokens]), request);
      for (const statistic of STORED.filter((each) => each !== 'target_rank'))
        logit_lens[statistic].values[index].forEach((value: number, entry: number) => {
          expect(Math.abs(statistics[nameOf(statistic)][entry] - value), `${statistic} ${index} ${entry}`).toBeLessThan(
            1e-4,
          );
        });
    });
    model.dispose();
  });
});

describe('a lens request', () => {
  const folder = bundledCase('hf-mamba1-bias');
  const tokens = [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ];
  const run = async <T>(work: (model: Model) => T) => {
    const model = await loadModel(folder);
    const result = work(model);
    model.dispose();
    return result;
  };

  it('reads single positions as it reads all of them, with the strongest tokens', async () => {
    await run((model) => {
      const residuals = residualsOf(model, tokens);
      const before = tf.memory().numTensors;
      const all = lensOf(model, residuals, { targets: [9, 10], topK: 2 });
      const one = lensOf(model, residuals, { targets: [9, 10], topK: 2, positions: [2] });
      expect(tf.memory().numTensors).toBe(before);
      const n = all.entries.length;
      for (let entry = 0; entry < n; entry++)
        for (let row = 0; row < 2; row++) {
          const [from, to] = [(entry * 2 + row) * 4 + 2, entry * 2 + row];
          expect(one.statistics.entropy[to]).toBeCloseTo(all.statistics.entropy[from], 5);
          expect(one.top?.ids.slice(2 * to, 2 * to + 2)).toEqual(all.top?.ids.slice(2 * from, 2 * from + 2));
          expect(one.top?.probabilities[2 * to]).toBeCloseTo(all.top?.probabilities[2 * from] as number, 6);
        }
      const last = (n - 1) * 2;
      const final = model.forward(tokens).arraySync()[1][2];
      expect(one.top?.ids[2 * (last + 1)]).toBe(final.indexOf(Math.max(...final)));
      const logSum = Math.log(final.reduce((sum, value) => sum + Math.exp(value), 0));
      expect(one.statistics.target_logprob[last + 1]).toBeCloseTo(final[10] - logSum, 4);
    });
  });

  it.each([
    [{ targets: [1] }, /one target per row/],
    [{ targets: [1, 1e6] }, /outside the vocabulary/],
    [{ targets: [1, 2], positions: [4] }, /no position 4/],
    [{ targets: [1, 2], candidates: [[1, 2]] }, /one per row/],
    [
      {
        targets: [1, 2],
        candidates: [
          [1, 2],
          [2, 3, 4],
        ],
      },
      /at least two candidates/,
    ],
    [{ targets: [1, 2], translators: [] }, /0 translators/],
  ])('%j is refused in a sentence', async (request, message) => {
    await run((model) => {
      const residuals = residualsOf(model, tokens);
      expect(() => lensOf(model, residuals, request)).toThrow(message);
      expect(() => lensOf(model, residuals, request)).toThrow(InputError);
    });
  });
});

describe('a lens of damaged weights', () => {
  it('is refused in a sentence that names the first layer', async () => {
    const model = await loadModel(bundledCase('hf-mamba1-bias'));
    const weight = model.parameters.get('backbone.layers.1.mixer.out_proj.weight');
    weight?.assign(tf.fill(weight.shape, Number.NaN));
    const residuals = residualsOf(model, [[1, 2, 3]]);
    expect(() => lensOf(model, residuals, { targets: [9] })).toThrow(
      /logits of layer 1 at position 0 of row 0 are not finite/,
    );
    expect(() => lensOf(model, residuals, { targets: [9] })).toThrow(InputError);
    model.dispose();
  });
});

describe('a tuned lens on disk', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'statescope-lens-'));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const stored = join(referenceFolder('lens', 'mamba') as string, 'tuned');

  it('is the same as safetensors and as a torch file', async () => {
    copyFileSync(join(stored, 'params.pt'), join(scratch, 'params.pt'));
    const torch = await readTunedLens(scratch, 48);
    expect(torch).toEqual(await readTunedLens(stored, 48));
    expect(torch).toHaveLength(4);
  });

  it('must have the width of the model and every layer', async () => {
    const tensor = (name: string, shape: number[]) => ({
      name,
      shape,
      data: new Float32Array(shape[0] * (shape[1] ?? 1)),
    });
    const write = (...tensors: ReturnType<typeof tensor>[]) =>
      writeSafetensors(join(scratch, 'params.safetensors'), tensors);
    await write(tensor('0.weight', [3, 3]), tensor('0.bias', [3]));
    await expect(readTunedLens(scratch, 3)).resolves.toHaveLength(1);
    await expect(readTunedLens(scratch, 4)).rejects.toThrow(/0\.weight must be of shape \[4,4\]/);
    await write(tensor('0.weight', [3, 3]), tensor('0.bias', [3]), tensor('2.weight', [3, 3]), tensor('2.bias', [3]));
    await expect(readTunedLens(scratch, 3)).rejects.toThrow(/1\.weight .* is missing/);
  });

  it('is not any folder', async () => {
    await expect(readTunedLens(bundledCase('len1-mamba1'), 3)).rejects.toThrow(/not a tuned lens/);
  });
});
