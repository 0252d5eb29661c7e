import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import { silent } from '@/lib/models/hooks';
import type { DifferentialBlock } from '../types';
import { weightsOf } from '../weights';
import { scaledDifference } from './difference';

beforeAll(async () => {
  await openDevice();
});

it('norms the difference with its own ε, whatever that of the other norms is', () => {
  const mixer = {
    d: 4,
    E: 4,
    N: 2,
    K: 4,
    R: 1,
    H: 0,
    P: 0,
    G: 0,
    epsilon: 0.5,
    timeStepLimit: [0, Number.POSITIVE_INFINITY] as const,
    useBias: false,
    useConvBias: true,
  };
  const block: DifferentialBlock = { kind: 'diff_mamba1', mixer, lambda: 'exp', lambdaInit: 0.25, subln: true };
  const delta = [0.001, -0.002, 0.003, 0.004];
  const weight = [1, 2, -1, 0.5];
  const weights = weightsOf(new Map([['subln.weight', tf.tensor1d(weight)]]));
  const got = scaledDifference(tf.tensor3d([[delta]]), weights, block, silent).dataSync();
  const rms = Math.sqrt(delta.reduce((sum, value) => sum + value * value, 0) / 4 + 1e-5);
  delta.forEach((value, k) => {
    expect(got[k]).toBeCloseTo((0.75 * weight[k] * value) / rms, 6);
  });
});
