import { createRequire } from 'node:module';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCase, smallCases } from '../ops/op-cases';
import { expectClose } from '../reference/test-support';
import { registerPortable } from './register';

const wasmPackage = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
const cases = smallCases();

describe.each(['cpu', 'wasm'] as const)('portable kernels on %s', (backend) => {
  beforeAll(async () => {
    setWasmPaths(`${path.join(path.dirname(wasmPackage), 'dist')}/`);
    registerPortable(backend);
    registerPortable(backend);
    expect(await tf.setBackend(backend)).toBe(true);
  });

  it.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    const { value, gradients } = runCase(c);
    expectClose(value, c.expected, 1e-6, 'value');
    for (const [name, gradient] of Object.entries(gradients)) {
      expectClose(gradient, c.gradients?.[name] as Float64Array, 1e-6, `gradient of ${name}`);
    }
    expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  });
});
