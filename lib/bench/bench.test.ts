import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { NativeBackend } from '@/kernels/native/backend';
import { expectedTensors } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { median } from './measure';
import { finish, scoped, tensor } from './operands';
import { DIFF_MAMBA2_130M, MAMBA_130M, MAMBA2_130M, productsOf, SMALL, TRAINED_DIFF } from './shapes';

describe('what benchmarks compare with', () => {
  it.each([
    ['Mamba-130m', MAMBA_130M],
    ['Mamba2-130m', MAMBA2_130M],
    ['Diff-Mamba-2', DIFF_MAMBA2_130M],
    ['the small model', SMALL],
    ['the twin that is trained here', TRAINED_DIFF],
  ])('the products of %s use every weight matrix once', (_, shape) => {
    const matrices = [...expectedTensors(shape)].filter(([name]) => /(_proj|embeddings)\.weight$/.test(name));
    const weights = matrices.reduce((sum, [, [rows, columns]]) => sum + rows * columns, 0);
    expect(productsOf(shape).reduce((sum, [k, n]) => sum + k * n, 0)).toBe(weights);
  });

  it('the published model has 129 million parameters', () => {
    const sizes = [...expectedTensors(MAMBA_130M).values()].map((shape) => shape.reduce((a, b) => a * b, 1));
    expect(sizes.reduce((a, b) => a + b)).toBe(129_135_360);
  });

  it('a product that was run to its end gives its memory to the next', async () => {
    await openDevice({ device: 'native', threads: 1 });
    const { pool } = tf.backend() as NativeBackend;
    scoped(() => {
      const a = tensor<tf.Rank.R2>([128, 128]);
      const before = pool.heldBytes;
      for (let k = 0; k < 3; k++) finish(() => tf.matMul(a, a, false, true));
      expect(pool.heldBytes - before).toBe(128 * 128 * 4);
    });
  });

  it('the median is the middle', () => {
    expect(median([5, 1, 9])).toBe(5);
    expect(median([4, 1, 9, 2])).toBe(3);
  });
});
