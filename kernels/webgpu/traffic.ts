import * as tf from '@tensorflow/tfjs';
import type { Backend, Program } from './program';

/** One program that a computation queues. */
export interface Dispatched {
  readonly name: string;
  /** What it reads and writes, each array once. */
  readonly bytes: number;
  /** Of matrix products; 0 for programs that are bound by their traffic. */
  readonly flops: number;
}

type Run = Backend['queueProgram'];

/**
 * Runs `body` on the webgpu back end without computing anything: every program is noted and not queued, so a large model
 * costs no more than its weights in host memory. Results have no values; `body` must not read them.
 */
export function dispatchesOf(body: () => void): Dispatched[] {
  const backend = tf.backend() as Backend;
  const noted: Dispatched[] = [];
  const run: Run = (program, inputs, dtype, _uniforms, output) => {
    const result = output ?? backend.makeTensorInfo(program.outputShape, dtype);
    noted.push(note(program, inputs, result));
    return result;
  };
  // Properties of the instance hide the methods of its class until they are deleted again.
  Object.assign(backend, { queueProgram: run, shouldExecuteOnCPU: () => false });
  try {
    body();
  } finally {
    Reflect.deleteProperty(backend, 'queueProgram');
    Reflect.deleteProperty(backend, 'shouldExecuteOnCPU');
  }
  return noted;
}

const wordsOf = ({ shape }: tf.TensorInfo) => tf.util.sizeFromShape(shape);

export function note(program: Parameters<Run>[0], inputs: readonly tf.TensorInfo[], result: tf.TensorInfo): Dispatched {
  const { shaderKey, flops, parts, variableNames, half } = program as Program;
  const wordsRead = (input: tf.TensorInfo, i: number) => {
    const elements = parts?.[variableNames[i]] ?? wordsOf(input);
    return half === variableNames[i] ? elements / 2 : elements;
  };
  const [read, written] = [inputs.map(wordsRead), wordsOf(result)];
  // A slice and a gather touch what they copy, not all of the array that they copy from.
  const copies = /^(slice|gather)/.test(shaderKey);
  const words = copies ? 2 * written : read.reduce((sum, size) => sum + size, written);
  // [M,K]·[K,N]: the three sizes give the product M·N·K.
  const products = /^matMul/.test(shaderKey) ? 2 * Math.sqrt(read[0] * read[1] * written) : (flops ?? 0);
  return { name: shaderKey.split(/[_{]/)[0].trim(), bytes: 4 * words, flops: products };
}
