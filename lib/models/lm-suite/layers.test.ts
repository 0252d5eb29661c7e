import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { weightsOf } from '@/lib/architectures/weights';
import { openDevice } from '@/lib/engine';
import { Random } from '@/lib/random';
import { silent } from '../hooks';
import { dropoutOf } from './dropout';
import { feedForward, gelu } from './feed-forward';
import { layerNorm } from './layer-norm';
import { distance } from './test-support';

const random = new Random(5);
const normals = (count: number, scale = 1) => Float32Array.from({ length: count }, () => scale * random.normal());

/** erf(x) by its Taylor series, in float64. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const exactGelu = (x: number) => (x / 2) * (1 + erf(x / Math.SQRT2));

describe.each(['cpu', 'native'])('layers of the suite on %s', (device) => {
  let opened = false;
  beforeAll(async () => {
    opened = await openDevice({ device }).then(
      () => true,
      () => false,
    );
  });

  it('normalise over the last axis with weight and bias', ({ skip }) => {
    if (!opened) skip('This device is not built.');
    const d = 24;
    const [x, weight, bias] = [normals(6 * d, 3), normals(d), normals(d)];
    // A row whose variance is of the size of ε.
    for (let e = 0; e < d; e++) x[e] *= 1e-3;
    const w = weightsOf(
      new Map([
        ['weight', tf.tensor1d(weight)],
        ['bias', tf.tensor1d(bias)],
      ]),
    );
    const expected = Array.from({ length: 6 }, (_, row) => {
      const values = [...x.slice(row * d, (row + 1) * d)];
      const mean = values.reduce((a, b) => a + b) / d;
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / d;
      return values.map((value, e) => ((value - mean) / Math.sqrt(variance + 1e-5)) * weight[e] + bias[e]);
    }).flat();
    expect(distance(layerNorm(tf.tensor3d(x, [2, 3, d]), w).dataSync(), expected)).toBeLessThan(5e-6);
  });

  it('use the exact GELU, not its tanh form', ({ skip }) => {
    if (!opened) skip('This device is not built.');
    const x = Float32Array.from({ length: 81 }, (_, i) => -4 + i / 10);
    expect(distance(gelu(tf.tensor1d(x)).dataSync(), Array.from(x, exactGelu))).toBeLessThan(2e-6);
    const slopes = tf.grad((value: tf.Tensor) => gelu(value))(tf.tensor1d(x));
    const expected = Array.from(x, (v) => (exactGelu(v + 1e-5) - exactGelu(v - 1e-5)) / 2e-5);
    expect(distance(slopes.dataSync(), expected)).toBeLessThan(2e-6);
  });

  it('feed forward through 4d channels with biases', ({ skip }) => {
    if (!opened) skip('This device is not built.');
    const [d, inner, u] = [3, 12, normals(6)];
    const tensors = {
      'ff.0.0.weight': [inner, d],
      'ff.0.0.bias': [inner],
      'ff.2.weight': [d, inner],
      'ff.2.bias': [d],
    };
    const data = new Map(
      Object.entries(tensors).map(([name, shape]) => [name, tf.randomNormal(shape, 0, 1, 'float32', 3)]),
    );
    const [W1, b1, W2, b2] = [...data.values()].map((tensor) => tensor.arraySync()) as [
      number[][],
      number[],
      number[][],
      number[],
    ];
    const expected = [0, 1].flatMap((row) => {
      const hidden = W1.map((weights, i) =>
        exactGelu(weights.reduce((sum, weight, e) => sum + weight * u[row * d + e], b1[i])),
      );
      return W2.map((weights, e) => weights.reduce((sum, weight, i) => sum + weight * hidden[i], b2[e]));
    });
    const output = feedForward(tf.tensor3d(u, [1, 2, d]), weightsOf(data), silent, (x) => x);
    expect(distance(output.dataSync(), expected)).toBeLessThan(2e-5);
    const dropped = feedForward(tf.tensor3d(u, [1, 2, d]), weightsOf(data), silent, (x) => x.mul(0));
    expect(distance(dropped.dataSync(), [...b2, ...b2])).toBe(0);
  });
});

describe('dropout', () => {
  beforeAll(() => openDevice({ device: 'cpu' }));
  const ones = () => tf.ones([2000]);

  it('is off in evaluation and needs a seed in training', () => {
    const x = ones();
    expect(dropoutOf({ seed: 1 })(x, 0.5, 'a')).toBe(x);
    expect(() => dropoutOf({ training: true })(x, 0.5, 'a')).toThrow(/seed/);
    expect(dropoutOf({ training: true })(x, 0, 'a')).toBe(x);
  });

  it('repeats by seed and site, keeps 1 − rate and the mean', () => {
    const mask = (seed: number, site: string) => dropoutOf({ training: true, seed })(ones(), 0.25, site).dataSync();
    expect(mask(1, 'a')).toEqual(mask(1, 'a'));
    expect(mask(1, 'a')).not.toEqual(mask(2, 'a'));
    expect(mask(1, 'a')).not.toEqual(mask(1, 'b'));
    const kept = mask(1, 'a').filter((value) => value > 0);
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / 0.75)]));
    expect(kept.length / 2000).toBeGreaterThan(0.71);
    expect(kept.length / 2000).toBeLessThan(0.79);
  });
});
