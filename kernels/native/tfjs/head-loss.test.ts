import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { headCrossEntropy, type LossTerm, OperandError } from '../../ops';
import * as reference from '../../reference';
import { isAvailable } from '../addon';
import { configureNative, registerNative } from '../register';
import { onEverySetting, random } from '../test-support';

/** Rows, logits, width: below and beyond what is taken at a time, and no multiple of it. */
const SIZES = [
  [1, 1, 1],
  [5, 7, 3],
  [40, 33, 130],
  [1300, 19, 24],
  [301, 1501, 9],
] as const;

/** Terms of every row but each seventh, of every third, of none, and one that is only measured. */
function termsOf(M: number, V: number): LossTerm[] {
  const labels = (counts: (m: number) => boolean, times: number) =>
    Int32Array.from({ length: M }, (_, m) => (counts(m) ? (times * m) % V : -1));
  return [
    { labels: labels((m) => m % 7 !== 3, 5), weight: 0.1 },
    { labels: labels((m) => m % 3 === 0 && m % 7 !== 3, 2), weight: 2 },
    { labels: labels(() => false, 1), weight: 7 },
    { labels: labels((m) => m % 2 === 0 && m % 7 !== 3, 3), weight: 0 },
  ];
}

const inputsOf = ([M, V, d]: readonly [number, number, number]) => ({
  x: random([M, d], 3).mul(4) as tf.Tensor2D,
  head: random([V, d], 4) as tf.Tensor2D,
});

/** Loss, means and gradients in float64. */
function exactly({ x, head }: ReturnType<typeof inputsOf>, terms: readonly LossTerm[]) {
  const [[M, d], [V]] = [x.shape, head.shape];
  const [rows, weights] = [Float64Array.from(x.dataSync()), Float64Array.from(head.dataSync())];
  const logits = new Float64Array(M * V);
  for (let m = 0; m < M; m++)
    for (let v = 0; v < V; v++) for (let i = 0; i < d; i++) logits[m * V + v] += rows[m * d + i] * weights[v * d + i];
  const dx = new Float64Array(M * d);
  const dhead = new Float64Array(V * d);
  const means = terms.map(({ labels, weight }) => {
    const { loss, logSumExp } = reference.crossEntropy({ rows: M, V, logits, labels });
    const dlogits = reference.crossEntropyGrad({ rows: M, V, logits, labels }, logSumExp, weight);
    for (let m = 0; m < M; m++)
      for (let v = 0; v < V; v++)
        for (let i = 0; i < d; i++) {
          dx[m * d + i] += dlogits[m * V + v] * weights[v * d + i];
          dhead[v * d + i] += dlogits[m * V + v] * rows[m * d + i];
        }
    return loss;
  });
  return { loss: terms.reduce((sum, { weight }, i) => sum + weight * means[i], 0), means, dx, dhead };
}

/** The same of the operation, times a factor but for the means. */
function found({ x, head }: ReturnType<typeof inputsOf>, terms: readonly LossTerm[], factor = 1) {
  // Buffers are used again: what is not written would be NaN.
  tf.dispose([x, head].map((input) => input.mul(Number.NaN)));
  return tf.tidy(() => {
    let means: Float32Array | undefined;
    const { value, grads } = tf.valueAndGrads((a: tf.Tensor, b: tf.Tensor) => {
      const told = headCrossEntropy(a as tf.Tensor2D, b as tf.Tensor2D, terms);
      means = told.means.dataSync<'float32'>().slice();
      told.means.dispose();
      return told.loss.mul(factor);
    })([x, head]);
    const [dx, dhead] = grads.map((gradient) => gradient.dataSync().slice());
    return { loss: value.dataSync()[0], means: means as Float32Array, dx, dhead };
  });
}

function expectNear(values: ArrayLike<number>, wanted: ArrayLike<number>, factor = 1): void {
  const size = (of: number[]) => Math.hypot(...of);
  const exact = Array.from(wanted, (value) => factor * value);
  expect(size(exact.map((value, i) => value - values[i]))).toBeLessThanOrEqual(4e-6 * size(exact) + 1e-6);
}

describe('the loss of a linear head in one kernel', needs(isAvailable, ADD_ON), () => {
  onEverySetting(() => {
    it.each(SIZES)('over %i rows, %i logits and width %i is what float64 gives', (...sizes) => {
      const inputs = inputsOf(sizes);
      const terms = termsOf(sizes[0], sizes[1]);
      const wanted = exactly(inputs, terms);
      const before = tf.memory().numTensors;
      for (const factor of [1, -3]) {
        const { loss, means, dx, dhead } = found(inputs, terms, factor);
        expectNear([loss], [wanted.loss], factor);
        expectNear(means, wanted.means);
        expectNear(dx, wanted.dx, factor);
        expectNear(dhead, wanted.dhead, factor);
      }
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  describe('on the native device', () => {
    beforeAll(async () => {
      registerNative();
      await tf.setBackend('native');
    });

    it('gives the same to the last bit on any number of threads', () => {
      const initial = configureNative();
      const [inputs, terms] = [inputsOf([1300, 190, 24]), termsOf(1300, 190)];
      const on = (threads: number) => {
        configureNative({ threads });
        return found(inputs, terms);
      };
      try {
        const one = on(1);
        for (const threads of [2, 5, 40]) expect(on(threads)).toEqual(one);
      } finally {
        configureNative(initial);
      }
    });

    it('is 0 where no row is labelled', () => {
      const labels = new Int32Array(5).fill(-1);
      const { loss, means, dx, dhead } = found(inputsOf([5, 7, 3]), [{ labels, weight: 1 }]);
      expect([loss, ...means, ...dx, ...dhead].every((value) => value === 0)).toBe(true);
    });

    it('is composed where the head is large', () => {
      const inputs = { x: tf.ones([2, 1]) as tf.Tensor2D, head: tf.ones([(1 << 21) + 1, 1]) as tf.Tensor2D };
      const { loss } = found(inputs, [{ labels: Int32Array.of(1, 2), weight: 1 }]);
      expect(loss).toBeCloseTo(Math.log((1 << 21) + 1), 4);
    });

    it('refuses what does not fit together', () => {
      tf.tidy(() => {
        const { x, head } = inputsOf([3, 4, 5]);
        const term = (...labels: number[]) => [{ labels: Int32Array.from(labels), weight: 1 }];
        expect(() => headCrossEntropy(x, head, term(1, -1, 4))).toThrow(/label 4 of row 2/);
        expect(() => headCrossEntropy(x, head, term(1, 2))).toThrow(OperandError);
        expect(() => headCrossEntropy(x, tf.zeros([4, 6]), term(1, 2, 3))).toThrow(OperandError);
      });
    });
  });
});
