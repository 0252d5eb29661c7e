import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { crossEntropy } from '../ops';
import { expectCase } from '../ops/expect-case';
import { mixerStepCases } from '../ops/mixer-step-cases';
import { smallCases } from '../ops/op-cases';
import { expectClose } from '../reference/test-support';
import { type Backend, dispatch } from './program';
import { registerWebgpu } from './register';
import { largeCases } from './testing/large-cases';
import { REDUCING_PROGRAMS, reducingCases, reducingPrograms } from './testing/reducing-cases';
import { allowSoftwareAdapter } from './testing/software-adapter';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

const cases = [...smallCases(), ...mixerStepCases(), ...largeCases()];

describe('WGSL kernels equal the float64 reference', needs(adapter, ADAPTER), () => {
  beforeAll(async () => {
    expect(await tf.setBackend('webgpu')).toBe(true);
  });

  const reducing = new Map<string, string>();

  it.each(cases.map((c) => [c.name, c] as const))('%s', (_, c) => {
    for (const [name, code] of reducingPrograms(() => expectCase(c, { value: 1e-5, gradients: 2e-5 })))
      reducing.set(name, code);
  });

  it('reduce by subgroups, where the device has them, in all programs that reduce', () => {
    expect([...reducing.keys()].sort()).toEqual(REDUCING_PROGRAMS);
    const { subgroups, device } = tf.backend() as Backend;
    expect(subgroups).toBe(device.features.has('subgroups'));
    for (const [name, code] of reducing) expect(code.includes('subgroupAdd'), name).toBe(subgroups);
  });

  it('turns by angles of thousands of tokens as exactly as float32 has them', () => {
    const angles = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) * 2.3171);
    const x = tf.tensor1d(angles);
    for (const [got, expected] of [
      [tf.sin(x), Math.sin],
      [tf.cos(x), Math.cos],
    ] as const)
      expectClose(got.dataSync(), Float64Array.from(angles, expected), 5e-7, expected.name);
  });

  it('refuses labels beyond the vocabulary, at once or by a loss that is no number', () => {
    const logits = tf.ones<tf.Rank.R2>([2, 3]);
    const labels = () => tf.tensor1d([0, 3], 'int32');
    expect(() => crossEntropy(logits, labels())).toThrow('label 3 of row 1 is not below V = 3');
    const onDevice = labels();
    (tf.backend() as Backend).uploadToGPU(onDevice.dataId);
    expect(crossEntropy(logits, onDevice).dataSync()[0]).toBeNaN();
  });

  it('reads alike by data() and dataSync(), and says what a refused program did wrong', async () => {
    const made = () => tf.linspace(0, 1, 5).mul(2);
    expect([...(await made().data())]).toEqual([...made().dataSync()]);
    const x = made();
    const broken = () =>
      dispatch(tf.backend() as Backend, {
        name: 'broken',
        inputs: { x },
        output: [5],
        uniforms: { count: 5 },
        threads: 64,
        groups: [1],
        code: 'fn main(index: i32) { result[index] = missing; }',
      });
    expect(() => tf.engine().makeTensorFromTensorInfo(broken()).dataSync()).toThrow(/refused a program.*missing/s);
    expect([...made().dataSync()]).toEqual([0, 0.5, 1, 1.5, 2]);
  });
});

// Here, where all the programs beside those that reduce are compiled already.
describe('what threads reduce through workgroup memory', needs(adapter, ADAPTER), () => {
  beforeAll(async () => {
    await tf.setBackend('webgpu');
    (tf.backend() as Backend).subgroups = false;
  });
  afterAll(() => {
    const { device } = tf.backend() as Backend;
    (tf.backend() as Backend).subgroups = device.features.has('subgroups');
  });

  const seen = new Map<string, string>();

  it.each(reducingCases().map((c) => [c.name, c] as const))(
    'equals the definition in %s, with its gradients',
    (_, c) => {
      for (const [name, code] of reducingPrograms(() => expectCase(c, { value: 1e-5, gradients: 2e-5 })))
        seen.set(name, code);
    },
  );

  it('does so in all programs that reduce, and in each of them this way', () => {
    expect([...seen.keys()].sort()).toEqual(REDUCING_PROGRAMS);
    for (const [name, code] of seen) expect(code, name).not.toContain('subgroupAdd');
  });
});
