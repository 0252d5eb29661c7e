import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { s6Mixer } from '../ops';
import { expectCase } from '../ops/expect-case';
import { fromHalves } from '../ops/halves';
import { convCase, lossCase, normCase } from '../ops/op-cases';
import { DeviceLimitError, requireGroups } from './limits';
import type { Backend } from './program';
import { registerWebgpu } from './register';
import { allowSoftwareAdapter } from './testing/software-adapter';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

it('a program that knows its workgroups by number alone may have more than go along one axis', () => {
  expect(() => requireGroups([65535, 65535, 3], false)).not.toThrow();
  expect(() => requireGroups([200_000, 1, 1], true)).not.toThrow();
  expect(() => requireGroups([200_000, 1, 1], false)).toThrow(DeviceLimitError);
  expect(() => requireGroups([200_000, 2, 1], true)).toThrow(DeviceLimitError);
  expect(() => requireGroups([2, 70_000, 1], true)).toThrow(
    'A program needs 70000 groups of threads and a GPU starts 65535: give less text or fewer rows at a time, or take the native device.',
  );
});

describe('what a GPU cannot hold', needs(adapter, ADAPTER), () => {
  let backend: Backend;
  let found: Pick<Backend, 'reach' | 'spareBytes' | 'device'>;
  beforeAll(async () => {
    await tf.setBackend('webgpu');
    backend = tf.backend() as Backend;
    const { reach, spareBytes, device } = backend;
    found = { reach, spareBytes, device };
  });
  afterEach(() => void Object.assign(backend, found));

  it('is refused in a sentence before the device sees it, as operand, result or weight of 16 bits', () => {
    expect(found.reach).toBe(found.device.limits.maxStorageBufferBindingSize);
    backend.reach = 2 ** 20;
    const refusal =
      'takes 0.00419 GB and a program on this GPU reaches 0.00105 GB of one: give less text or fewer rows at a time';
    const column = tf.ones<tf.Rank.R2>([1024, 8]);
    expect(() => tf.matMul(column, column, false, true)).toThrow(refusal);
    const weight = tf.tensor2d(new Float32Array(2 ** 20), [1024, 1024]);
    expect(() => tf.matMul(tf.ones([1, 1024]), weight, false, true)).toThrow(DeviceLimitError);
    expect(() => fromHalves(new Uint16Array(2 ** 20), [1024, 1024], 'bfloat16')).toThrow('takes 0.00210 GB');
    expect([...tf.ones([2000]).add(1).dataSync().subarray(0, 2)]).toEqual([2, 2]);
  });

  it('leaves nothing behind of a mixer that is refused halfway', () => {
    const [L, E, N, R] = [64, 256, 64, 2];
    const inputs = {
      projected: tf.ones<tf.Rank.R3>([1, L, 2 * E]),
      convWeight: tf.ones<tf.Rank.R3>([E, 1, 4]),
      xProj: tf.ones<tf.Rank.R2>([R + 2 * N, E]),
      dtProj: tf.ones<tf.Rank.R2>([E, R]),
      A_log: tf.ones<tf.Rank.R2>([E, N]),
      D: tf.ones<tf.Rank.R1>([E]),
    };
    // After a read: what is freed before stays in use until its programs have run.
    const inUse = () => {
      tf.tidy(() => void tf.ones([2000]).add(1).dataSync());
      return [backend.numDataIds(), (tf.memory() as unknown as { numBytesInGPU: number }).numBytesInGPU];
    };
    s6Mixer(inputs).dispose();
    const before = inUse();
    // Its states at the borders of chunks take 197 KB, all else at most 133 KB.
    backend.reach = 150_000;
    expect(() => s6Mixer(inputs)).toThrow(DeviceLimitError);
    expect(inUse()).toEqual(before);
  });

  it('is said as such where its memory is full', () => {
    const { GPUOutOfMemoryError: Full, GPUUncapturedErrorEvent: Event_ } = globalThis;
    const error = new Full('Failed to allocate memory for buffer.');
    backend.device.dispatchEvent(new Event_('uncapturederror', { error }));
    const read = () => tf.ones([2000]).add(1).dataSync();
    expect(read).toThrow('The memory of the GPU is full: give less text');
    expect(read()[1999]).toBe(2);
  });

  it('does not grow with the number of sizes that were computed with', () => {
    const memory = () => tf.memory() as unknown as { numBytesInGPU: number; numBytesAllocatedInGPU: number };
    const spare = () => memory().numBytesAllocatedInGPU - memory().numBytesInGPU;
    backend.spareBytes = 2 ** 20;
    for (let rows = 100; rows < 140; rows++) {
      const sums = tf.tidy(() => tf.ones([rows, 1000]).add(1).mul(2).dataSync());
      expect(sums[999]).toBe(4);
    }
    // Each size leaves about three arrays of half a megabyte, 57 MB in all; those of the last look are still there.
    expect(spare()).toBeLessThan(Math.max(2 ** 20, memory().numBytesInGPU) + 6 * 4 * 139_000);
  });

  it('but more workgroups than go along one axis go on along others', () => {
    const limits = { maxComputeWorkgroupsPerDimension: 12 };
    const { device } = backend;
    backend.device = new Proxy(device, {
      get: (target, key) => {
        if (key === 'limits') return limits;
        const value = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const tolerance = { value: 1e-5, gradients: 2e-5 };
    expectCase(convCase({ batch: 3, L: 37, E: 130, K: 4, bias: true, silu: true }), tolerance);
    expectCase(normCase({ rows: 35, E: 3 * 67, groups: 3, gate: true }), tolerance);
    expectCase(lossCase(70, 131), tolerance);
  });
});
