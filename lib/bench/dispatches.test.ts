import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { registerWebgpu } from '@/kernels/webgpu/register';
import { allowSoftwareAdapter } from '@/kernels/webgpu/testing/software-adapter';
import { ADAPTER, needs } from '@/testing/needs';
import { continuedOnGpu, forwardOnGpu, tokenOnGpu } from './dispatches';
import { MAMBA_130M, MAMBA2_130M } from './shapes';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

/** Programs do not depend on the vocabulary, and a small one keeps the test light; its head is 34 MB of the 0.3 GB it has at 50 280. */
const withFewTokens = <T extends { V: number; vocabulary: number }>(shape: T): T => ({
  ...shape,
  V: 64,
  vocabulary: 64,
});

describe('what a forward pass at L = 512 and a token ask of a GPU', needs(adapter, ADAPTER), () => {
  beforeAll(() => tf.setBackend('webgpu'));

  it.each([
    { name: 'Mamba-130m', shape: MAMBA_130M, programs: 243, gigabytes: 1.79 },
    { name: 'Mamba2-130m', shape: MAMBA2_130M, programs: 219, gigabytes: 2.17 },
  ])('$name: $programs programs and $gigabytes GB beside the head', ({ shape, programs, gigabytes }) => {
    const { dispatches, bytes } = forwardOnGpu(withFewTokens(shape));
    expect(dispatches).toBe(programs);
    expect(bytes / 1e9).toBeCloseTo(gigabytes, 2);
  });

  it.each([
    { name: 'Mamba-130m', shape: MAMBA_130M, programs: 221, megabytes: 375 },
    { name: 'Mamba2-130m', shape: MAMBA2_130M, programs: 197, megabytes: 441 },
  ])(
    '$name, one more token: $programs programs and $megabytes MB beside the head',
    ({ shape, programs, megabytes }) => {
      const { dispatches, bytes } = tokenOnGpu(withFewTokens(shape));
      expect(dispatches).toBe(programs);
      expect(bytes / 1e6).toBeCloseTo(megabytes, 0);
    },
  );

  it.each([
    { name: 'Mamba-130m', shape: MAMBA_130M, programs: 293, gigabytes: 1.79 },
    { name: 'Mamba2-130m', shape: MAMBA2_130M, programs: 269, gigabytes: 2.22 },
  ])(
    '$name, as many tokens behind others: $programs programs and $gigabytes GB, two more a block for what is left to the next',
    ({ shape, programs, gigabytes }) => {
      const { dispatches, bytes } = continuedOnGpu(withFewTokens(shape));
      expect(dispatches).toBe(programs);
      expect(bytes / 1e9).toBeCloseTo(gigabytes, 2);
    },
  );

  it.each([
    { name: 'Mamba-130m', shape: MAMBA_130M, programs: 243, gigabytes: 1.61, forToken: 221, megabytes: 196 },
    { name: 'Mamba2-130m', shape: MAMBA2_130M, programs: 219, gigabytes: 1.99, forToken: 197, megabytes: 260 },
  ])('$name of 16-bit weights: as many programs, none of which widens a weight, and fewer bytes', (counts) => {
    const shape = withFewTokens(counts.shape);
    const forward = forwardOnGpu(shape, { weights: 'bf16' });
    expect(forward.dispatches).toBe(counts.programs);
    expect(forward.bytes / 1e9).toBeCloseTo(counts.gigabytes, 2);
    const token = tokenOnGpu(shape, { weights: 'bf16' });
    expect(token.dispatches).toBe(counts.forToken);
    expect(token.bytes / 1e6).toBeCloseTo(counts.megabytes, 0);
  });
});
