import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '@/lib/checkpoint/config';
import { batchOf } from '@/lib/data/batches';
import { openDevice } from '@/lib/engine';
import { createModel, lossAndGradients, type Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { stepGradients as gradientsOfStep } from './gradients';
import { initialCheckpoint } from './initialise';
import type { PartedBatch } from './rows';

const KINDS = ['mamba1', 'mamba2', 'diff_mamba1', 'diff_mamba2', 'diff_mamba2e', 'diff_s6', 'diff_s6_mamba2'];

const modelOf = (layers: string | string[], more: object = {}): Model => {
  const sizes = { hidden_size: 16, num_hidden_layers: 3, vocab_size: 30, state_size: 4, head_dim: 8 };
  const config = parseConfig({ model_type: 'statescope', layers, ...sizes, ...more }, new Map());
  return createModel(initialCheckpoint(config, new Random(3), 'small'));
};

/** Rows of different lengths with an answer each, dealt to two parts in turn. */
function batch(rows: number, longest = 9): PartedBatch {
  const random = new Random(rows);
  const dealt = Array.from({ length: rows }, (_, k) => {
    const length = longest - (k % 3);
    const tokens = Int32Array.from({ length }, () => random.integer(0, 29));
    return { tokens, answers: [{ start: length - 2, end: length }] };
  });
  return { ...batchOf(dealt), parts: Int32Array.from(dealt, (_, k) => k % 2) };
}

/** Rows [from, to) of a batch as one of their own. */
function cut({ B: _B, L, tokens, labels, answers, parts }: PartedBatch, from: number, to: number): PartedBatch {
  const rows = (all: Int32Array) => all.slice(from * L, to * L);
  return {
    B: to - from,
    L,
    tokens: rows(tokens),
    labels: rows(labels),
    answers: rows(answers),
    parts: parts.slice(from, to),
  };
}

const WEIGHTS = [
  { answers: 1, text: 0.1 },
  { answers: 0.5, text: 0 },
];
const never = { when: false, limit: 0 };
const always = { when: true, limit: 0 };

/** The same with the gradients as host arrays. */
function stepGradients(...given: Parameters<typeof gradientsOfStep>) {
  const { gradients, ...others } = gradientsOfStep(...given);
  const host = new Map([...gradients].map(([name, gradient]) => [name, Float32Array.from(gradient.dataSync())]));
  tf.dispose([...gradients.values()]);
  return { ...others, gradients: host };
}

let open: Model[] = [];
const opened = (model: Model) => {
  open.push(model);
  return model;
};

beforeAll(async () => {
  await openDevice();
});
afterAll(() => {
  for (const model of open) model.dispose();
  open = [];
});

describe('stepGradients', () => {
  it.each(KINDS)(
    'gives %s the same to the last bit when it computes activations again, and leaves nothing behind',
    (kind) => {
      const model = opened(modelOf(kind));
      const tensors = tf.memory().numTensors;
      const whole = stepGradients(model, [batch(4)], WEIGHTS, never);
      const again = stepGradients(model, [batch(4)], WEIGHTS, always);
      expect(again).toEqual({ ...whole, recomputed: true });
      expect([...whole.gradients.keys()].sort()).toEqual([...model.parameters.keys()].sort());
      expect(tf.memory().numTensors).toBe(tensors);
    },
  );

  it('does so for an untied head and for hybrids', () => {
    const model = opened(
      modelOf(['mamba2', 'diff_mamba2', 'mamba1'], { tie_word_embeddings: false, expand: [2, 1, 2] }),
    );
    const whole = stepGradients(model, [batch(3), batch(2)], WEIGHTS, never);
    expect(stepGradients(model, [batch(3), batch(2)], WEIGHTS, always)).toEqual({ ...whole, recomputed: true });
    expect(whole.gradients.has('lm_head.weight')).toBe(true);
  });

  it('holds less memory the deeper the model is', async () => {
    const model = opened(modelOf('mamba2', { num_hidden_layers: 8 }));
    const rows = batch(8, 40);
    const peak = async (memory: typeof never) => {
      const before = tf.memory().numBytes;
      const { peakBytes } = await tf.profile(() => {
        stepGradients(model, [rows], WEIGHTS, memory);
        return [];
      });
      return peakBytes - before;
    };
    expect(await peak(always)).toBeLessThan(0.4 * (await peak(never)));
  });

  it('computes again by itself where the activations of a batch would take more than they may', () => {
    const model = opened(modelOf('diff_mamba2'));
    const memory = { when: 'auto' as const, limit: 1e9, bytesPerToken: undefined as number | undefined };
    expect(stepGradients(model, [batch(4)], WEIGHTS, memory).recomputed).toBe(false);
    const held = (memory.bytesPerToken ?? 0) * batch(4).tokens.length;
    expect(held).toBeGreaterThan(4 * 9 * 16 * 4 * 3);
    expect(stepGradients(model, [batch(4)], WEIGHTS, { ...memory, limit: held + 1 }).recomputed).toBe(false);
    expect(stepGradients(model, [batch(4)], WEIGHTS, { ...memory, limit: held - 1 }).recomputed).toBe(true);
  });

  it('is the mean over all rows of a step however they are divided', () => {
    const model = opened(modelOf('diff_mamba2'));
    const rows = batch(7);
    const whole = stepGradients(model, [rows], WEIGHTS, never);
    const parts = stepGradients(model, [cut(rows, 0, 3), cut(rows, 3, 6), cut(rows, 6, 7)], WEIGHTS, never);
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    expect(parts.answers).toBeCloseTo(whole.answers ?? Number.NaN, 5);
    expect(parts.text).toBeCloseTo(whole.text ?? Number.NaN, 5);
    for (const [name, gradient] of whole.gradients) {
      const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const other = parts.gradients.get(name) as Float32Array;
      gradient.forEach((value, i) => {
        expect(Math.abs(other[i] - value), name).toBeLessThan(1e-4 * largest + 1e-8);
      });
    }
  });

  it('is the next-token loss where only the text counts', () => {
    const model = opened(modelOf('mamba2'));
    const rows = Array.from({ length: 3 }, (_, k) => ({ tokens: Int32Array.of(1 + k, 7, 3, 9, 2 * k), answers: [] }));
    const flat = { ...batchOf(rows), parts: Int32Array.of(0, 0, 0) };
    const found = stepGradients(model, [flat], [{ answers: 1, text: 1 }], never);
    const tokens = tf.tensor2d(flat.tokens, [3, 5], 'int32');
    const { loss, gradients } = lossAndGradients(model, tokens);
    expect(found.text).toBeCloseTo(loss.dataSync()[0], 5);
    expect(found).toMatchObject({ answers: null, loss: found.text });
    for (const [name, gradient] of gradients)
      gradient.dataSync().forEach((value, i) => {
        expect(found.gradients.get(name)?.[i], name).toBeCloseTo(value, 5);
      });
    tf.dispose([tokens, loss, [...gradients.values()]]);
  });

  it('weighs each source as it is told, in the mean over all', () => {
    const model = opened(modelOf('mamba2'));
    const rows = batch(6);
    const of = (first: number, second: number) => {
      const weights = [first, second].map((answers) => ({ answers, text: 0 }));
      return stepGradients(model, [rows], weights, never);
    };
    const [one, other, both] = [of(1, 0), of(0, 1), of(2, 0.5)];
    expect(both.answers).toBeCloseTo(one.answers ?? Number.NaN, 5);
    expect(both.loss).toBeCloseTo(2 * one.loss + 0.5 * other.loss, 5);
    expect(one.loss + other.loss).toBeCloseTo(one.answers ?? Number.NaN, 5);
    const name = 'backbone.layers.1.mixer.in_proj.weight';
    both.gradients.get(name)?.forEach((value, i) => {
      const wanted = 2 * (one.gradients.get(name)?.[i] ?? 0) + 0.5 * (other.gradients.get(name)?.[i] ?? 0);
      expect(value).toBeCloseTo(wanted, 5);
    });
  });
});
