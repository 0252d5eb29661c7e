import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { crossEntropy, type LossTerm, weightedCrossEntropy } from '../../ops';
import { numbers, onEverySetting } from '../test-support';

const SIZES = [
  [1, 1],
  [5, 7],
  [40, 33],
  [70, 1501],
] as const;

/** Three terms: of every row, of every third, of none; the second's labels are its own. */
function termsOf(M: number, V: number): LossTerm[] {
  const labels = (step: number, times: number) =>
    Int32Array.from({ length: M }, (_, m) => (step > 0 && m % step === 0 ? (times * m) % V : -1));
  return [
    { labels: labels(1, 5), weight: 0.1 },
    { labels: labels(3, 2), weight: 2 },
    { labels: labels(0, 1), weight: 7 },
    { labels: labels(2, 3), weight: 0 },
  ];
}

onEverySetting(() => {
  it.each(SIZES)('terms over %i rows of %i logits have their sum, their means and its gradient', (M, V) => {
    const terms = termsOf(M, V);
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const logits = tf.tensor2d(
        numbers(M * V, 3).map((value) => 20 * value),
        [M, V],
      );
      const each = terms.map(({ labels }) => {
        const { value, grad } = tf.valueAndGrad((x: tf.Tensor) =>
          crossEntropy(x as tf.Tensor2D, tf.tensor1d(labels, 'int32')),
        )(logits) as { value: tf.Tensor; grad: tf.Tensor };
        return { mean: value.dataSync()[0], gradient: grad.dataSync() };
      });
      for (const factor of [1, -3]) {
        let means: Float32Array | undefined;
        const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => {
          const found = weightedCrossEntropy(x as tf.Tensor2D, terms);
          means = found.means.dataSync<'float32'>();
          found.means.dispose();
          return found.loss.mul(factor);
        })(logits);
        const sum = each.reduce((total, { mean }, i) => total + terms[i].weight * mean, 0);
        expect(value.dataSync()[0] / factor).toBeCloseTo(sum, 4);
        each.forEach(({ mean }, i) => {
          expect(means?.[i]).toBeCloseTo(mean, 4);
        });
        const wanted = grad.dataSync().map((_, k) => {
          return factor * each.reduce((total, { gradient }, i) => total + terms[i].weight * gradient[k], 0);
        });
        const error = Math.hypot(...grad.dataSync().map((found, k) => found - wanted[k]));
        expect(error).toBeLessThan(2e-6 * Math.hypot(...wanted) + 1e-6);
      }
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('name the row of a label that there is not', () => {
    const labels = Int32Array.of(1, -1, 4);
    tf.tidy(() => {
      expect(() => weightedCrossEntropy(tf.zeros([3, 4]), [{ labels, weight: 1 }])).toThrow(/label 4 of row 2/);
    });
  });
});
