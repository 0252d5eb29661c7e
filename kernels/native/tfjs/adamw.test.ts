import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { type AdamWRule, adamwStep, sumOfSquares } from '../../ops';
import { isAvailable } from '../addon';
import { numbers, onEverySetting } from '../test-support';

const RULE: AdamWRule = { clip: 0.37, kept: 0.9997, step: 0.003, scale: 1.3, betas: [0.9, 0.98], epsilon: 1e-8 };

/** Three steps from fresh moments: the parameter and both moments. */
function threeSteps(size: number): Float32Array[] {
  const [m, v] = [new Float32Array(size), new Float32Array(size)];
  let theta: tf.Tensor = tf.tensor1d(numbers(size, 1));
  for (let step = 0; step < 3; step++) {
    const gradient = tf.tensor1d(numbers(size, 2 + step).map((value) => 1e-3 * value ** 3));
    const next = adamwStep(theta, gradient, m, v, RULE);
    tf.dispose([theta, gradient]);
    theta = next;
  }
  const values = theta.dataSync().slice() as Float32Array;
  theta.dispose();
  return [values, m, v];
}

const SIZES = [1, 7, 16, 37, 8191, 20011];

describe('AdamW of the native kernel', needs(isAvailable, ADD_ON), () => {
  const wanted = new Map<number, Float32Array[]>();
  beforeAll(async () => {
    await tf.setBackend('cpu');
    for (const size of SIZES) wanted.set(size, threeSteps(size));
  });

  onEverySetting(() => {
    it.each(SIZES)('has the bits of JavaScript, %i elements', (size) => {
      const before = tf.memory().numTensors;
      expect(threeSteps(size)).toEqual(wanted.get(size));
      expect(tf.memory().numTensors).toBe(before);
    });

    it.each(SIZES)('sums squares in float64, %i elements', (size) => {
      const x = numbers(size, 5);
      const sum = x.reduce((total, value) => total + value * value, x[0] * x[0]);
      const tensors = [tf.tensor1d(x), tf.scalar(x[0])];
      expect(Math.abs(sumOfSquares(tensors) / sum - 1)).toBeLessThan(1e-13);
      tf.dispose(tensors);
    });
  });
});
