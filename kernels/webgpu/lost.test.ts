import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import type { Backend } from './program';
import { registerWebgpu, untilGpuIsLost } from './register';
import { allowSoftwareAdapter } from './testing/software-adapter';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

it('a device that is lost says so at every read, and to whoever waits for it', needs(adapter, ADAPTER), async () => {
  await tf.setBackend('webgpu');
  let told: Error | undefined;
  const waiting = untilGpuIsLost().catch((error: Error) => {
    told = error;
  });
  const read = () => tf.ones([2000]).add(1).dataSync();
  expect(read()[1999]).toBe(2);
  expect(told).toBeUndefined();
  (tf.backend() as Backend).device.destroy();
  for (let again = 0; again < 2; again++) expect(read).toThrow('The GPU was lost');
  await waiting;
  expect(told?.message).toContain('The GPU was lost');
});
