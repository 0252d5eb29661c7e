import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  lensFault,
  lensFaults,
  lensOf,
  readHeldOut,
  readTunedLens,
  residualsOf,
  type Translator,
} from '@/lib/analysis';
import { InputError, loadCheckpoint, readSafetensors, readTorchFile } from '@/lib/checkpoint';
import { openSource } from '@/lib/data/sources';
import { endOfText, tokenChunks } from '@/lib/data/token-chunks';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { referenceFolder } from '@/testing/references';
import { createTunedLensTrainer, readChunks, TUNED_LENS_DEFAULTS, trainTunedLens } from '.';
import { addGradients } from './gradients';
import { isConverged } from './held-out';

const scratch = mkdtempSync(join(tmpdir(), 'statescope-tuned-'));
const bundled = join(process.cwd(), 'lib/models/testing/cases/hf-mamba1-bias');
const rows = [
  [1, 2, 3, 4, 5],
  [6, 7, 8, 9, 10],
  [11, 12, 13, 14, 3],
];
const small = { ...TUNED_LENS_DEFAULTS, steps: 6, tokensPerStep: 10 };

let model: Model;
beforeAll(async () => {
  await openDevice();
  model = createModel(await loadCheckpoint(bundled));
});
afterAll(() => {
  model.dispose();
  rmSync(scratch, { recursive: true });
});

describe('training follows the reference', () => {
  it.each(['mamba', 'mamba2'])('for 20 steps of %s', async (name) => {
    const folder = referenceFolder('lens', name) as string;
    const reference = createModel(await loadCheckpoint(folder));
    const { tokens, losses } = JSON.parse(readFileSync(join(folder, 'trained/training.json'), 'utf8'));
    const options = { ...TUNED_LENS_DEFAULTS, steps: 20, tokensPerStep: tokens.length * tokens[0].length };
    const trainer = createTunedLensTrainer(reference, tokens, options);
    for (let s = 0; s < 20; s++)
      trainer.step().losses.forEach((loss, k) => {
        expect(Math.abs(loss - losses[s][k]), `loss ${k} of step ${s}`).toBeLessThan(1e-4);
      });
    const stored = await readSafetensors(join(folder, 'trained/params.safetensors'));
    trainer.translators.forEach((translator, k) => {
      for (const part of ['weight', 'bias'] as const) {
        const expected = stored.get(`${k}.${part}`)?.data as Float32Array;
        const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(translator[part][i] - value)), 0);
        expect(worst, `${k}.${part}`).toBeLessThan(1e-4);
      }
    });
    reference.dispose();
  });
});

it('uses the gradient of the mean divergence', () => {
  const { d, blocks } = model.config;
  const residuals = residualsOf(model, rows);
  const translators = blocks.map((_, k) => ({
    weight: Float32Array.from({ length: d * d }, (_, i) => 0.05 * Math.sin(i + k)),
    bias: Float32Array.from({ length: d }, (_, i) => 0.1 * Math.cos(i)),
  }));
  const zeros = () => blocks.map(() => ({ weight: new Float32Array(d * d), bias: new Float32Array(d) }));
  const gradients = zeros();
  const before = tf.memory().numTensors;
  const losses = addGradients(model, residuals, translators, gradients, 15);
  expect(tf.memory().numTensors).toBe(before);
  const { statistics } = lensOf(model, residuals, { targets: [1, 1, 1], translators });
  blocks.forEach((_, k) => {
    const divergences = statistics.kl_final_lens.subarray(k * 15, (k + 1) * 15);
    expect(losses[k]).toBeCloseTo(divergences.reduce((sum, value) => sum + value, 0) / 15, 4);
  });
  const step = 1e-2;
  for (const [part, i] of [
    ['weight', 5],
    ['weight', d + 3],
    ['bias', 2],
  ] as const) {
    const at = (shift: number) => {
      const moved = translators.map((each) => ({ weight: each.weight.slice(), bias: each.bias.slice() }));
      moved[0][part][i] += shift;
      return addGradients(model, residuals, moved, zeros(), 15)[0];
    };
    const slope = (at(step) - at(-step)) / (2 * step);
    expect(Math.abs(gradients[0][part][i] - slope), `${part} ${i}`).toBeLessThan(2e-3 * Math.max(1, Math.abs(slope)));
  }
});

describe('a tuned-lens folder', () => {
  it('is the same after a pause as without one, and reads back', async () => {
    const [whole, paused] = ['whole', 'paused'].map((name) => join(scratch, name));
    await trainTunedLens(model, rows, whole, small);
    const stop = new AbortController();
    const onStep = ({ step }: { step: number }) => step === 2 && stop.abort();
    const first = await trainTunedLens(model, rows, paused, small, { signal: stop.signal, onStep });
    expect(first).toMatchObject({ step: 2, finished: false });
    await expect(trainTunedLens(model, rows, paused, small)).rejects.toThrow(/--resume/);
    const second = await trainTunedLens(model, rows, paused, small, { resume: true });
    expect(second).toMatchObject({ step: 6, finished: true });
    const lens = await readTunedLens(paused, model.config.d);
    expect(lens).toEqual(await readTunedLens(whole, model.config.d));
    expect(lens).toHaveLength(model.config.blocks.length);
    expect(lens[0].weight.some((value) => value !== 0)).toBe(true);

    const torch = await readTorchFile(join(paused, 'params.pt'));
    const safe = await readSafetensors(join(paused, 'params.safetensors'));
    expect([...torch.keys()]).toEqual([...safe.keys()]);
    for (const [key, { data, shape }] of safe) expect(torch.get(key)).toMatchObject({ data, shape });
    expect(JSON.parse(readFileSync(join(paused, 'config.json'), 'utf8'))).toMatchObject({
      lens_type: 'linear_tuned_lens',
      num_hidden_layers: lens.length,
    });
    expect(readFileSync(join(paused, 'metrics.jsonl'), 'utf8').trim().split('\n')).toHaveLength(6);
  });

  it('says how well each layer does on text that was held out, and keeps it with the lens', async () => {
    const folder = join(scratch, 'measured');
    const many = Array.from({ length: 20 }, (_, row) => Array.from({ length: 6 }, (_, t) => (7 * row + 3 * t) % 30));
    const options = { ...small, steps: 40, tokensPerStep: 18 };
    const { held_out } = await trainTunedLens(model, many, folder, options);
    expect(await readHeldOut(folder)).toEqual(held_out);
    const lens = await readTunedLens(folder, model.config.d);
    const mean = (translators?: Translator[]) => {
      const rest = many.slice(18);
      const { statistics, B, positions } = lensOf(model, residualsOf(model, rest), { targets: [0, 0], translators });
      const n = B * positions.length;
      return model.config.blocks.map((_, k) => {
        const entry = translators ? k : k + 1;
        const values = statistics.kl_final_lens.subarray(entry * n, (entry + 1) * n);
        return values.reduce((sum, value) => sum + value, 0) / n;
      });
    };
    expect(held_out?.tokens).toBe(12);
    const [tuned, logit] = [mean(lens), mean()];
    held_out?.layers.forEach(({ kl, logit_lens_kl }, k) => {
      expect(kl).toBeCloseTo(tuned[k], 5);
      expect(logit_lens_kl).toBeCloseTo(logit[k], 5);
    });
    // The rows that are held out are not among those that are fitted.
    const fitted = join(scratch, 'fitted');
    await trainTunedLens(model, many.slice(0, 18).concat(many.slice(0, 2)), fitted, options);
    expect(await readTunedLens(fitted, model.config.d)).toEqual(lens);
    expect((await trainTunedLens(model, rows, join(scratch, 'few'), small)).held_out).toBeNull();
    expect(await readHeldOut(join(scratch, 'few'))).toBeNull();
  });

  it('tells a layer that is not fitted', () => {
    const layer = { kl: 0.5, logit_lens_kl: 2, converged: true };
    expect(lensFault(layer)).toBeUndefined();
    expect(lensFault({ ...layer, kl: 2 })).toBe('no better than the logit lens');
    expect(lensFault({ ...layer, converged: false })).toBe('not converged');
    expect(lensFault({ kl: 0.001, logit_lens_kl: 0, converged: true })).toBeUndefined();
    expect(lensFaults({ tokens: 1, layers: [layer, { ...layer, kl: 3 }] })).toMatchObject([
      expect.stringMatching(/^Layer 1 .* not fitted/),
    ]);
    expect(lensFaults(null)).toMatchObject([expect.stringContaining('not recorded')]);
    const falling = Array.from({ length: 40 }, (_, step) => 5 - 0.1 * step);
    expect(isConverged(falling)).toBe(false);
    expect(isConverged([...falling, ...new Array(40).fill(1)])).toBe(true);
    expect(isConverged([1, 1, 1])).toBe(false);
  });

  it('does not take the state of another model', async () => {
    const trainer = createTunedLensTrainer(model, rows, small);
    expect(() => trainer.restore({ step: 1, values: [], velocities: [] })).toThrow(InputError);
    expect(() => createTunedLensTrainer(model, [], small)).toThrow(/shorter than one chunk/);
  });
});

describe('the data of a lens', () => {
  const tokenizer = async () =>
    ({ encode: (text: string) => ({ ids: [...text].map(Number) }), vocabulary: () => ['a', '</s>'] }) as never;
  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(scratch, name), content);
    return join(scratch, name);
  };

  it('are documents joined by the end of text and cut, the rest dropped', async () => {
    expect(tokenChunks([[5, 6], [7]], 2, 1)).toEqual([
      [1, 5],
      [6, 1],
    ]);
    expect(tokenChunks([[5, 6], [7]], 2, undefined)).toEqual([[5, 6]]);
    expect(endOfText(['x', '<|endoftext|>'])).toBe(1);
    const lines = file('data.jsonl.gz', gzipSync('\uFEFF{"text":"56"}\n{"text":"7"}\n'));
    expect(await readChunks(lines, 2, 9, tokenizer)).toEqual([
      [1, 5],
      [6, 1],
    ]);
    expect(await readChunks(file('data.txt', '234'), 2, 9, tokenizer)).toHaveLength(2);
    expect(await readChunks(file('rows.json', '[[1,2],[3,4]]'), 9, 9, tokenizer)).toHaveLength(2);
  });

  it('are the ends of the rows of a source', async () => {
    const stories = { source: 'stories', length: 128, noise: [0, 0] };
    const path = file('source.json', JSON.stringify(stories));
    const source = await openSource(stories);
    const chunks = await readChunks(path, 100, source.vocabularySize, tokenizer);
    const rows = Array.from({ length: 20 }, (_, index) => [...source.row('train', index).tokens]);
    const long = rows.filter(({ length }) => length >= 100);
    expect(long.length).toBeGreaterThan(0);
    expect(chunks.slice(0, long.length)).toEqual(long.map((row) => row.slice(-100)));
    await expect(readChunks(path, 500, source.vocabularySize, tokenizer)).rejects.toThrow(/smaller --length than 500/);
    await expect(readChunks(path, 100, 9, tokenizer)).rejects.toThrow(/from 0 to 8/);
  });

  it.each([
    ['short.txt', '', /fewer than 2 tokens/],
    ['rows.json', '[[1],[2,3]]', /equally long rows/],
    ['rows.json', '[[1,90]]', /from 0 to 8/],
    ['lines.jsonl', '{"words":"x"}', /Line 1 .* has no "text"/],
    ['lines.jsonl', '{', /is not JSON/],
    ['source.json', '{"source":"novels"}', /source/],
  ])('%s with %s are refused in a sentence', async (name, content, message) => {
    const path = file(name, content);
    await expect(readChunks(path, 2, 9, tokenizer)).rejects.toThrow(message);
    await expect(readChunks(path, 2, 9, tokenizer)).rejects.toThrow(InputError);
  });
});
