import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { referenceCases } from './testing/fixtures';

describe('logits at chosen positions', () => {
  let model: Model;
  const tokens = [
    [1, 2, 3, 4, 5],
    [9, 8, 7, 6, 5],
  ];

  beforeAll(async () => {
    await openDevice({ device: 'cpu' });
    model = createModel(await loadCheckpoint(referenceCases()[0].folder));
  });

  it.each([[[3]], [[1, 2, 3]], [[4, 0, 4]]])('are those of a forward pass at %j, in that order', (positions) => {
    const difference = tf.tidy(() => {
      const all = model.forward(tokens).gather(tf.tensor1d(positions, 'int32'), 1);
      const few = model.forward(tokens, { logits: positions });
      expect(few.shape).toEqual([2, positions.length, model.config.V]);
      return all.sub(few).abs().max().dataSync()[0];
    });
    expect(difference).toBeLessThan(1e-5);
  });

  it('have gradients', () => {
    const [edge, whole] = [[4, 1], 'all' as const].map((logits) =>
      tf.tidy(() => {
        const sum = (edit: tf.Tensor) => {
          const out = model.forward(tokens, { logits, hooks: [['hook_embed', (value) => value.add(edit)]] });
          const rows = logits === 'all' ? out.gather(tf.tensor1d([4, 1], 'int32'), 1) : out;
          return rows.square().sum();
        };
        return tf
          .grad(sum)(tf.zeros([2, 5, model.config.d]))
          .dataSync();
      }),
    );
    const scale = Math.max(...whole.map(Math.abs));
    edge.forEach((value, i) => {
      expect(Math.abs(value - whole[i]) / scale).toBeLessThan(1e-5);
    });
  });

  it('are seen by the hooks as they are given', () => {
    const seen: number[][] = [];
    model.forward(tokens, { logits: [0, 2], hooks: [['hook_*', (value) => void seen.push(value.shape)]] });
    const { d, V } = model.config;
    expect(seen).toEqual([
      [2, 5, d],
      [2, 2, d],
      [2, 2, V],
    ]);
  });

  it('must be in the text', () => {
    for (const [positions, message] of [
      [[5], 'The position 5 is not in the text: positions go from 0 to 4.'],
      [[-1], 'The position -1 is not in the text'],
      [[1.5], 'The position 1.5 is not in the text'],
      [[], 'No position is asked for'],
    ] as const)
      expect(() => model.forward(tokens, { logits: positions })).toThrow(message);
  });
});
