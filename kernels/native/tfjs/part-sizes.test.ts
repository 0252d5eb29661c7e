import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { partSizes } from '../../ops';
import { Random } from '../../reference/random';
import { expectClose } from '../../reference/test-support';
import { isAvailable } from '../addon';
import { onEverySetting } from '../test-support';

/** Rows and widths, one vector and many, and what is no multiple of one. */
const SHAPES = [
  [1, 1],
  [3, 7],
  [130, 48],
  [70, 1001],
] as const;

function checks() {
  it.each(SHAPES)('%i rows of %i', (rows, d) => {
    const random = new Random(rows + d);
    const [parts, whole] = [random.normal(rows * d), random.normal(d)].map((values) => Float32Array.from(values));
    const wanted = [0, 1, 2].map(() => new Float64Array(rows));
    for (let r = 0; r < rows; r++)
      for (let i = 0; i < d; i++) {
        const value = parts[r * d + i];
        wanted[0][r] += value * value;
        wanted[1][r] += value * whole[i];
        wanted[2][r] += Math.abs(whole[i]) - Math.abs(whole[i] - value);
      }
    const before = tf.memory().numTensors;
    const tensors = [tf.tensor2d(parts, [rows, d]), tf.tensor1d(whole)] as const;
    const sizes = partSizes(...tensors);
    expect(sizes.shape).toEqual([rows, 3]);
    const values = sizes.dataSync();
    wanted.forEach((column, k) => {
      expectClose(
        Float32Array.from(column, (_, r) => values[3 * r + k]),
        column,
        2e-6,
        `column ${k}`,
      );
    });
    tf.dispose([sizes, ...tensors]);
    expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  });
}

describe('sizes of parts composed of tfjs operations equal the definition', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });
  checks();

  it('refuse a whole of another width', () => {
    expect(() => partSizes(tf.ones([2, 3]), tf.ones([4]))).toThrow(/partSizes: whole .* must be \[d\] = \[3\]/);
  });
});

describe('sizes of parts of the native kernel equal the definition', needs(isAvailable, ADD_ON), () => {
  onEverySetting(checks);
});
