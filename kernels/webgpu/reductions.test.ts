import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { expectCase } from '../ops/expect-case';
import { Random } from '../reference/random';
import { expectClose } from '../reference/test-support';
import { type Backend, dispatch, type Program } from './program';
import { registerWebgpu } from './register';
import { reducingCases } from './testing/reducing-cases';
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

/** Programs that reduce, by name, and the WGSL that they were queued with. */
function reducingPrograms(body: () => void): Map<string, string> {
  const seen = new Map<string, string>();
  const queue = (backend as Backend).queueProgram.bind(backend);
  const run: Backend['queueProgram'] = (program, ...rest) => {
    if ((program as Program).reduces)
      seen.set(program.shaderKey.split('{')[0].replace('statescope', '').trim(), program.getUserCode());
    return queue(program, ...rest);
  };
  Object.assign(backend as Backend, { queueProgram: run });
  try {
    body();
  } finally {
    Reflect.deleteProperty(backend as Backend, 'queueProgram');
  }
  return seen;
}

const PROGRAMS = [
  'log sum exp',
  'mean loss',
  'rms norm',
  'rms norm grad',
  'row product',
  'ssd scan grad of B, C and delta',
  'ssd step',
];

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

    const seen = new Map<string, string>();

    it.each(reducingCases().map((c) => [c.name, c] as const))('in %s, with its gradients', (_, c) => {
      for (const [name, code] of reducingPrograms(() => expectCase(c, { value: 1e-5, gradients: 2e-5 })))
        seen.set(name, code);
    });

    it('in all programs that reduce, and in each of them this way', () => {
      expect([...seen.keys()].sort()).toEqual(PROGRAMS);
      for (const [name, code] of seen) expect(code.includes('subgroupAdd'), name).toBe(subgroups);
    });
  });
});
