import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { needs, TENSORFLOW } from '@/testing/needs';
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
import { expectClose } from '../reference/test-support';
import { composedKernels } from './kernels';
import { isTensorflowInstalled, loadTensorflow } from './load';
import { registerTensorflow } from './register';

const installed = isTensorflowInstalled();

/** Shapes beyond one chunk and one tile, and never a multiple of either. */
function largeCases(): OpCase[] {
  return [
    scanCase({ batch: 1, L: 100, E: 9, N: 4, extreme: true }),
    ssdCase({ batch: 1, L: 150, H: 6, P: 3, G: 2, N: 4, extreme: true }),
    scanCase({ batch: 2, L: 70, E: 13, N: 16, D: true, z: true, softplus: true, initial: true, final: true }),
    scanCase({ batch: 1, L: 333, E: 5, N: 3, z: true }),
    ssdCase({ batch: 2, L: 150, H: 3, P: 5, G: 1, N: 7, D: true, initial: true, final: true }),
    ssdCase({ batch: 1, L: 200, H: 4, P: 6, G: 2, N: 9, D: true }),
    convCase({ batch: 3, L: 37, E: 30, K: 4, bias: true, silu: true }),
    normCase({ rows: 35, E: 3 * 7, groups: 3, gate: true }),
    lossCase(70, 131),
    ...[31, 33, 150].map((L) => s6AttentionCase(L, 5, 4, 'mean')),
    s6AttentionCase(101, 6, 5, 'mean_abs'),
    s6AttentionCase(70, 3, 16, { channel: 1 }),
    ssdAttentionCase(150, 6, 2, 7, 'mean'),
    ssdAttentionCase(101, 6, 3, 5, 'mean_abs'),
    ssdAttentionCase(70, 6, 3, 5, { head: 4 }),
  ];
}

const cases = [...smallCases(), ...largeCases()];

describe('kernels of our operations on tensorflow equal the float64 reference', needs(installed, TENSORFLOW), () => {
  beforeAll(async () => {
    loadTensorflow();
    registerTensorflow();
    await tf.setBackend('tensorflow');
  });

  it.each(cases.map((c) => [c.name, c] as const))('%s', (_, c) => {
    expect(tf.getBackend()).toBe('tensorflow');
    expectCase(c, { value: 5e-6, gradients: 1e-5 });
  });

  it.each([
    ['SelectiveScan', scanCase({ batch: 2, L: 70, E: 3, N: 2, D: true, z: true, initial: true }), 16 * 2 * 3 * 2],
    ['SsdScan', ssdCase({ batch: 2, L: 200, H: 4, P: 3, G: 2, N: 2, D: true, initial: true }), 2 * 4 * 64 * 64],
  ] as const)('%s in segments of one and of two chunks gives what one segment gives', (name, { inputs, dy }, chunk) => {
    tf.tidy(() => {
      const operands = Object.fromEntries(
        Object.entries(inputs).map(([key, { shape, values }]) => [key, tf.tensor(Float32Array.from(values), shape)]),
      );
      const last = tf.randomNormal(operands.state.shape, 0, 1, 'float32', 5);
      const back = { ...operands, dy: tf.tensor(Float32Array.from(dy ?? []), operands.x.shape), dState: last };
      const run = (budget?: number) => [
        ...composedKernels[name](operands, { budget, softplus: false, finalState: true }),
        ...composedKernels[`${name}Grad`](back, { budget, softplus: false }),
      ];
      const whole = run();
      for (const budget of [chunk, 2 * chunk])
        run(budget).forEach((part, i) => {
          expectClose(part.dataSync(), whole[i].dataSync(), 2e-6, `result ${i} at ${budget} elements a segment`);
        });
    });
  });
});
