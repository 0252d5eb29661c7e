import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { crossEntropy } from '../ops';
import { expectCase } from '../ops/expect-case';
import type { OpCase } from '../ops/op-case';
import {
  convCase,
  lossCase,
  normCase,
  s6AttentionCase,
  scanCase,
  smallCases,
  ssdAttentionCase,
  ssdCase,
} from '../ops/op-cases';
import { type Backend, dispatch } from './program';
import { registerWebgpu } from './register';
import { allowSoftwareAdapter } from './testing/software-adapter';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

/** Shapes beyond one tile, chunk and workgroup, and never a multiple of any of them. */
function largeCases(): OpCase[] {
  return [
    scanCase({ batch: 2, L: 37, E: 67, N: 19, D: true, z: true, softplus: true }),
    scanCase({ batch: 2, L: 70, E: 3, N: 16, initial: true, final: true }),
    ssdCase({ batch: 2, L: 70, H: 2, P: 33, G: 1, N: 37, D: true }),
    ssdCase({ batch: 2, L: 33, H: 4, P: 5, G: 2, N: 18, initial: true, final: true }),
    scanCase({ batch: 1, L: 40, E: 9, N: 4, extreme: true }),
    ssdCase({ batch: 1, L: 70, H: 6, P: 3, G: 2, N: 4, extreme: true }),
    convCase({ batch: 3, L: 37, E: 130, K: 4, bias: true, silu: true }),
    normCase({ rows: 35, E: 3 * 67, groups: 3, gate: true }),
    lossCase(70, 131),
    s6AttentionCase(75, 67, 5, 'mean'),
    s6AttentionCase(75, 5, 16, 'mean_abs'),
    s6AttentionCase(101, 3, 19, { channel: 1 }),
    ssdAttentionCase(101, 6, 2, 37, 'mean'),
    ssdAttentionCase(75, 6, 3, 5, 'mean_abs'),
    ssdAttentionCase(75, 6, 3, 5, { head: 4 }),
  ];
}

const cases = [...smallCases(), ...largeCases()];

describe('WGSL kernels equal the float64 reference', needs(adapter, ADAPTER), () => {
  beforeAll(async () => {
    expect(await tf.setBackend('webgpu')).toBe(true);
  });

  it.each(cases.map((c) => [c.name, c] as const))('%s', (_, c) => {
    expectCase(c, { value: 1e-5, gradients: 2e-5 });
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
