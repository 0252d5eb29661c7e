import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { parseConfig } from '@/lib/checkpoint/config';
import { openDevice } from '@/lib/engine';
import { createModel } from '@/lib/models';
import { Random } from '@/lib/random';
import { INITIAL, initialCheckpoint } from './initialise';
import { lambdasOf } from './lambda';

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
});

const SIZES = { hidden_size: 16, num_hidden_layers: 2, vocab_size: 9, state_size: 4, head_dim: 8 };

it.each([
  ['diff_mamba2', 'sigmoid_sum'],
  ['diff_mamba2', 'sigmoid_channel'],
  ['diff_mamba1', 'exp'],
  ['diff_mamba2', { constant: 0.3 }],
  ['diff_s6_mamba2', 'sigmoid_scalar'],
  ['diff_s6', undefined],
])('is what the blocks of %s with λ as %j subtract by', (layers, lambda) => {
  const config = parseConfig({ model_type: 'statescope', layers, ...(lambda && { lambda }), ...SIZES }, new Map());
  const start = { ...INITIAL, lambda: { mean: 0.1, deviation: 0.3 } };
  const model = createModel(initialCheckpoint(config, new Random(2), 'small', start));
  const { logits, cache } = model.runWithCache([[1, 2]], { names: ['blocks.*.hook_lambda'] });
  const reports = lambdasOf(model);
  expect(reports.map(({ block }) => block)).toEqual([0, 1]);
  for (const { block, lambda: mean, sigma, range } of reports) {
    const values = [...(cache.get(`blocks.${block}.hook_lambda`) as tf.Tensor).dataSync()];
    expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 5);
    const isSigmoid = typeof lambda === 'string' && lambda.startsWith('sigmoid');
    if (isSigmoid) expect(sigma).toBeCloseTo(mean - (0.8 - 0.6 * Math.exp(-0.3 * block)), 5);
    else expect(sigma).toBeUndefined();
    if (lambda === 'sigmoid_channel') expect(range).toEqual([Math.min(...values), Math.max(...values)]);
    else expect(range).toBeUndefined();
  }
  tf.dispose([logits, ...cache.values()]);
  model.dispose();
});
