import { createRequire } from 'node:module';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectCase } from '../ops/expect-case';
import { smallCases } from '../ops/op-cases';
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
    expectCase(c, { value: 1e-6, gradients: 1e-6 });
  });
});
