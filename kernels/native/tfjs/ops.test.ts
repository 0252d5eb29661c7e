import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { largeBlockCases } from '../../ops/block-cases';
import { expectCase } from '../../ops/expect-case';
import { mixerStepCases } from '../../ops/mixer-step-cases';
import type { OpCase } from '../../ops/op-case';
import {
  convCase,
  lossCase,
  normCase,
  s6AttentionCase,
  scanCase,
  siluCase,
  smallCases,
  ssdAttentionCase,
  ssdCase,
} from '../../ops/op-cases';
import { registerPortable } from '../../portable/register';
import { isAvailable, kernels } from '../addon';
import { configureNative, nativeInfo, registerNative } from '../register';

/** Shapes beyond one tile, one vector and one task, and never a multiple of any of them. */
function largeCases(): OpCase[] {
  return [
    scanCase({ batch: 2, L: 70, E: 83, N: 16, D: true, z: true, softplus: true }),
    scanCase({ batch: 1, L: 33, E: 600, N: 7, z: true }),
    scanCase({ batch: 1, L: 19, E: 21, N: 31, D: true, softplus: true }),
    ssdCase({ batch: 2, L: 150, H: 3, P: 20, G: 1, N: 37, D: true }),
    ssdCase({ batch: 1, L: 129, H: 4, P: 64, G: 2, N: 64, D: true }),
    ssdCase({ batch: 1, L: 64, H: 2, P: 33, G: 2, N: 18 }),
    scanCase({ batch: 2, L: 70, E: 83, N: 16, D: true, z: true, softplus: true, initial: true, final: true }),
    scanCase({ batch: 1, L: 1, E: 600, N: 16, D: true, z: true, softplus: true, initial: true, final: true }),
    ssdCase({ batch: 2, L: 150, H: 3, P: 20, G: 1, N: 37, D: true, initial: true, final: true }),
    ssdCase({ batch: 2, L: 1, H: 4, P: 64, G: 2, N: 64, D: true, initial: true, final: true }),
    convCase({ batch: 3, L: 37, E: 130, K: 4, bias: true, silu: true }),
    convCase({ batch: 2, L: 40, E: 150, K: 3, bias: true }),
    convCase({ batch: 2, L: 17, E: 130, K: 2, silu: true }),
    convCase({ batch: 1, L: 600, E: 45, K: 5 }),
    normCase({ rows: 77, E: 131 }),
    normCase({ rows: 35, E: 3 * 67, groups: 3, gate: true }),
    siluCase(40_001),
    lossCase(70, 131),
    lossCase(3, 9001),
    s6AttentionCase(150, 19, 16, 'mean'),
    s6AttentionCase(61, 40, 5, 'mean_abs'),
    s6AttentionCase(150, 3, 16, { channel: 1 }),
    ssdAttentionCase(150, 6, 2, 37, 'mean'),
    ssdAttentionCase(61, 6, 3, 5, 'mean_abs'),
    ssdAttentionCase(61, 6, 3, 5, { head: 4 }),
    ...largeBlockCases(),
  ];
}

const settings = ['avx512', 'avx2', 'generic'].flatMap((isa) => [1, 2].map((threads) => ({ isa, threads })));
const cases = isAvailable ? [...smallCases(), ...largeCases(), ...mixerStepCases()] : [];

describe('native kernels of our operations equal the float64 reference', needs(isAvailable, ADD_ON), () => {
  const initial = nativeInfo();

  beforeAll(async () => {
    registerPortable('cpu');
    registerNative();
    await tf.setBackend('native');
  });

  afterAll(() => {
    if (initial) configureNative(initial);
  });

  it('registers a C++ kernel for each of them', () => {
    const ours = Object.keys(kernels);
    expect(ours).toEqual(expect.arrayContaining(['selectiveScan', 'selectiveScanGrad', 'causalConv1d', 'rmsNormGrad']));
  });

  describe.each(settings)('$isa, $threads threads', (setting) => {
    let supported = true;

    beforeAll(() => {
      try {
        configureNative(setting);
      } catch {
        supported = false;
      }
    });

    it.each(cases.map((c) => [c.name, c] as const))('%s', (_, c) => {
      if (!supported) return;
      expectCase(c, { value: 5e-6, gradients: 1e-5 });
    });
  });
});
