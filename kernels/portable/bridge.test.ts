import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { bridgeFromCpu } from './bridge';

const package_ = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');

describe('kernels that WebAssembly borrows from the cpu back end', () => {
  beforeAll(async () => {
    setWasmPaths(`${dirname(package_)}/`);
    bridgeFromCpu('wasm');
    await tf.setBackend('wasm');
  });

  it('give the gradient of a gather, and leave nothing behind', () => {
    const table = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
    const ids = tf.tensor1d([2, 0, 2], 'int32');
    const before = tf.memory().numTensors;
    const gradient = tf.grad((x: tf.Tensor) => tf.gather(x, ids).sum())(table);
    expect(tf.getBackend()).toBe('wasm');
    expect([...gradient.dataSync()]).toEqual([1, 1, 0, 0, 2, 2]);
    gradient.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
