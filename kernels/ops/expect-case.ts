import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { expectClose } from '../reference/test-support';
import type { OpCase } from './op-case';
import { runCase } from './op-cases';

/** Fails unless the present device gives the reference's values and gradients, and leaves no tensor behind. */
export function expectCase(c: OpCase, tolerances: { readonly value: number; readonly gradients: number }): void {
  const before = tf.memory().numTensors;
  const { value, gradients } = runCase(c);
  expectClose(value, c.expected, tolerances.value, 'value');
  for (const [name, gradient] of Object.entries(gradients))
    expectClose(gradient, c.gradients?.[name] as Float64Array, tolerances.gradients, `gradient of ${name}`);
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
}
