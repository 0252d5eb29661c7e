import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { blockCase } from '../ops/block-cases';
import { registerPortable } from '../portable/register';
import { expectClose } from '../reference/test-support';
import { composedBlockKernels } from './block-attention';

const S6 = { L: 9, E: 5, N: 3, K: 4, D: true, weight: true };
const SSD = { L: 8, E: 3, heads: { H: 4, G: 2 }, N: 5, K: 3, D: true };

describe('folded maps composed of tfjs operations', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
    registerPortable('cpu');
  });

  it.each([
    ['S6BlockAttention', S6, { reduce: 'sum' }],
    ['S6BlockAttention', { ...S6, weight: false }, { reduce: 'max_abs' }],
    ['S6BlockColumns', S6, { columns: { first: 2, count: 3 } }],
    ['S6BlockStatistics', S6, { nearest: 4 }],
    ['SsdBlockAttention', SSD, { reduce: 'sum_abs' }],
    ['SsdBlockColumns', { ...SSD, D: false }, { columns: { first: 1, count: 2 } }],
    ['SsdBlockStatistics', SSD, { nearest: 2 }],
  ] as const)('%s %j %j equals the reference', (name, c, question) => {
    const { inputs, expected } = blockCase(c, question);
    tf.tidy(() => {
      const operands = Object.fromEntries(
        Object.entries(inputs).map(([key, { shape, values }]) => [key, tf.tensor(Float32Array.from(values), shape)]),
      );
      const attributes = 'columns' in question ? question.columns : question;
      const [result] = composedBlockKernels[name](operands, attributes);
      expectClose(result.dataSync(), expected, 5e-6, name);
      expect(result.size).toBe(expected.length);
    });
  });
});
