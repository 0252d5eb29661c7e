import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { expectCase } from '../ops/expect-case';
import type { Backend } from './program';
import { registerWebgpu } from './register';
import { reducingCases } from './testing/reducing-cases';
import { allowSoftwareAdapter } from './testing/software-adapter';

allowSoftwareAdapter();
process.env.STATESCOPE_SUBGROUPS = 'of';
const refusal = await registerWebgpu().then(
  () => undefined,
  (error: Error) => error.message,
);
process.env.STATESCOPE_SUBGROUPS = 'off';
const adapter = await registerWebgpu();

it('a device on which nobody may use subgroups computes without them', needs(adapter, ADAPTER), async () => {
  expect(refusal).toBe('STATESCOPE_SUBGROUPS is "of": it must be on or off.');
  await tf.setBackend('webgpu');
  const backend = tf.backend() as Backend;
  expect(backend.device.features.has('subgroups')).toBe(false);
  expect(backend.subgroups).toBe(false);
  const one = reducingCases().find(({ name }) => name.startsWith('rmsNorm'));
  if (one) expectCase(one, { value: 1e-5, gradients: 2e-5 });
  expect(one).toBeDefined();
});
