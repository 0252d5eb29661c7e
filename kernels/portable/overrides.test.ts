import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '@/lib/random';
import { registerPortable } from './register';

beforeAll(async () => {
  registerPortable('cpu');
  await tf.setBackend('cpu');
});

const random = new Random(5);
const normals = (shape: readonly number[]) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((n, m) => n * m, 1) }, () => random.normal()),
    [...shape],
  );

/** A value of an array by its place along each axis. */
const valueAt = (values: ArrayLike<number>, shape: readonly number[], place: readonly number[]) =>
  values[place.reduce((row, p, k) => row * shape[k] + p, 0)];

function* places(size: readonly number[]): Generator<number[]> {
  if (size.length === 0) yield [];
  else for (let p = 0; p < size[0]; p++) for (const rest of places(size.slice(1))) yield [p, ...rest];
}

describe('slices on cpu', () => {
  it.each([
    [[7], [2], [3]],
    [
      [4, 5],
      [1, 2],
      [2, 3],
    ],
    [
      [4, 5],
      [0, 2],
      [4, 1],
    ],
    [
      [4, 5],
      [1, 0],
      [2, 5],
    ],
    [
      [3, 90],
      [1, 7],
      [2, 80],
    ],
    [
      [2, 3, 4],
      [0, 1, 0],
      [2, 2, 4],
    ],
    [
      [2, 3, 4],
      [1, 0, 1],
      [1, 3, 2],
    ],
    [
      [3, 2, 4, 5],
      [1, 1, 0, 2],
      [2, 1, 4, 3],
    ],
    [
      [3, 2, 1, 5],
      [0, 1, 0, 0],
      [3, 1, 1, 5],
    ],
    [
      [2, 3],
      [1, 1],
      [0, 2],
    ],
  ])('of %j from %j, %j', (shape, begin, size) => {
    const x = normals(shape);
    const values = x.dataSync();
    const expected = [...places(size)].map((place) =>
      valueAt(
        values,
        shape,
        place.map((p, k) => p + begin[k]),
      ),
    );
    const got = x.slice(begin, size);
    expect(got.shape).toEqual(size);
    expect([...got.dataSync()]).toEqual(expected);
  });

  it('keep their type, and take what is negative as the rest', () => {
    const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], 'int32');
    const got = x.slice([0, 1], [-1, 1]);
    expect([got.dtype, [...got.dataSync()]]).toEqual(['int32', [2, 5]]);
    const words = tf.tensor2d(['a', 'b', 'c', 'd'], [2, 2]).slice([0, 1], [2, 1]);
    expect([...words.dataSync()]).toEqual(['b', 'd']);
    expect(() => x.slice([0, 2], [2, 2])).toThrow();
  });

  it('of a split put together are the whole', () => {
    const x = normals([3, 4, 7]);
    for (const [axis, sizes] of [
      [2, [1, 4, 2]],
      [1, [3, 1]],
      [-1, [0, 7]],
    ] as const) {
      const parts = x.split([...sizes], axis);
      expect(parts.map(({ shape }) => shape.at(axis))).toEqual(sizes);
      expect([...tf.concat(parts, axis).dataSync()]).toEqual([...x.dataSync()]);
    }
  });

  it('leave what was sliced when they are disposed of', () => {
    const before = tf.memory();
    const x = normals([4, 6]);
    const parts = x.split(3, 1);
    for (const part of parts) part.dispose();
    expect(x.dataSync()).toHaveLength(24);
    x.dispose();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numBytes).toBe(before.numBytes);
  });
});

describe('products on cpu', () => {
  const cases = [
    { batch: [], M: 1, K: 7, N: 5 },
    { batch: [], M: 6, K: 1, N: 9 },
    { batch: [3], M: 4, K: 60, N: 3 },
    { batch: [2, 2], M: 5, K: 3, N: 8 },
  ].flatMap((size) =>
    [false, true].flatMap((transposeA) => [false, true].map((transposeB) => ({ ...size, transposeA, transposeB }))),
  );

  it.each(cases)('%j', ({ batch, M, K, N, transposeA, transposeB }) => {
    const a = normals([...batch, ...(transposeA ? [K, M] : [M, K])]);
    const b = normals([...batch, ...(transposeB ? [N, K] : [K, N])]);
    const got = tf.matMul(a, b, transposeA, transposeB);
    expect(got.shape).toEqual([...batch, M, N]);
    expect([...got.dataSync()]).toEqual(expectedOf(a, b, { M, K, N, transposeA, transposeB }));
  });

  it('serve a whole batch with one factor', () => {
    const [a, b] = [normals([3, 2, 5]), normals([1, 5, 4])];
    const got = tf.matMul(a, b);
    const each = a.unstack().map((one) => tf.matMul(one as tf.Tensor2D, b.squeeze([0]) as tf.Tensor2D));
    expect([...got.dataSync()]).toEqual([...tf.stack(each).dataSync()]);
  });

  it('refuse shapes that do not meet, and are zero over nothing', () => {
    expect(() => tf.matMul(normals([2, 3]), normals([4, 2]))).toThrow(/inner shapes/i);
    expect([...tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 2])).dataSync()]).toEqual([0, 0, 0, 0]);
  });

  it('are of whole numbers as they were', () => {
    const a = tf.tensor2d([1, 2, 3, 4], [2, 2], 'int32');
    expect(tf.matMul(a, a).dtype).toBe('int32');
    expect([...tf.matMul(a, a).dataSync()]).toEqual([7, 10, 15, 22]);
  });
});

/** The definition in float64, rounded once. */
function expectedOf(
  a: tf.Tensor,
  b: tf.Tensor,
  { M, K, N, transposeA, transposeB }: { M: number; K: number; N: number; transposeA: boolean; transposeB: boolean },
): number[] {
  const [x, y] = [a.dataSync(), b.dataSync()];
  const out: number[] = [];
  for (let n = 0; n < x.length / (M * K); n++)
    for (let i = 0; i < M; i++)
      for (let j = 0; j < N; j++) {
        let sum = 0;
        for (let k = 0; k < K; k++)
          sum +=
            x[n * M * K + (transposeA ? k * M + i : i * K + k)] * y[n * K * N + (transposeB ? j * K + k : k * N + j)];
        out.push(Math.fround(sum));
      }
  return out;
}
