import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { Random } from '../reference/random';
import { expectClose } from '../reference/test-support';
import { type Backend, dispatch } from './program';
import { registerWebgpu } from './register';
import { allowSoftwareAdapter } from './testing/software-adapter';

allowSoftwareAdapter();
const adapter = await registerWebgpu();
if (adapter) await tf.setBackend('webgpu');
const backend = adapter ? (tf.backend() as Backend) : undefined;
const hasSubgroups = backend?.subgroups ?? false;

const values = (count: number) => Float32Array.from(new Random(count).normal(count, 1));

const FACTOR = -3;

/** The sum of each of `count` values of the threads, or the largest, and that of FACTOR times them: [threads, count] as the threads have it. */
function reduced(name: 'total' | 'highest', threads: number, count: number): Float32Array {
  const x = tf.tensor1d(values(threads * count));
  const code = `
fn main(index: i32) {
  var mine: array<f32, ${count}>;
  for (var k = 0; k < ${count}; k++) { mine[k] = x[index * ${count} + k]; }
  let once = ${name}(mine);
  for (var k = 0; k < ${count}; k++) { mine[k] *= uniforms.factor; }
  let twice = ${name}(mine);
  for (var k = 0; k < ${count}; k++) { result[index * ${count} + k] = once[k] + twice[k]; }
}`;
  const result = dispatch(backend as Backend, {
    name: `test of ${name} ${count}`,
    inputs: { x },
    output: [threads, count],
    uniforms: {},
    floats: { factor: FACTOR },
    threads,
    groups: [1],
    reduces: { [name]: count },
    code,
  });
  return tf.engine().makeTensorFromTensorInfo(result).dataSync() as Float32Array;
}

describe.each([
  ['by subgroups', true],
  ['through workgroup memory', false],
])('what threads reduce %s', (_, subgroups) => {
  describe('equals the definition', needs(adapter && (hasSubgroups || !subgroups), ADAPTER), () => {
    beforeAll(() => {
      if (backend) backend.subgroups = subgroups;
    });
    afterAll(() => {
      if (backend) backend.subgroups = hasSubgroups;
    });

    it.each([
      [64, 1],
      [64, 8],
      [128, 2],
      [256, 3],
      // The last subgroup is not full, or the only one: its share of the work is another.
      ...(subgroups
        ? [
            [3, 1],
            [6, 2],
            [101, 1],
          ]
        : []),
    ])('for %i threads of %i values, in every thread', (threads, count) => {
      const x = values(threads * count);
      const both = (of: (column: number[]) => number) =>
        Float64Array.from({ length: threads * count }, (_, i) => {
          const column = Array.from({ length: threads }, (_, thread) => x[thread * count + (i % count)]);
          return of(column) + of(column.map((value) => FACTOR * value));
        });
      const sum = (column: number[]) => column.reduce((a, b) => a + b);
      expectClose(reduced('total', threads, count), both(sum), 1e-5, 'total');
      expectClose(
        reduced('highest', threads, count),
        both((column) => Math.max(...column)),
        1e-6,
        'highest',
      );
    });
  });
});
