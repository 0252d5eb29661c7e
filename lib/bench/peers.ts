import * as tf from '@tensorflow/tfjs';
import { nativeInfo } from '@/kernels/native/register';
import { openDevice } from '@/lib/engine';
import { type Benchmark, type Measurement, measurement, medianMs, medianMsAsync } from './measure';
import { productModel } from './onnx';
import { finish, scoped, values } from './operands';

/** Products of Mamba-130m, 512 tokens and one. */
const SHAPES = [
  [512, 768, 3072],
  [512, 1536, 768],
  [512, 1536, 80],
  [512, 48, 1536],
  [64, 768, 3072],
  [1, 768, 3072],
] as const;

const skip = (what: string, why: unknown) =>
  console.warn(`${what} is left out: ${(why as Error).message.split('\n')[0]}`);

/** Milliseconds of a·bᵀ with constant b, as a model has it, or of a·b, which tfjs-wasm computes far faster. */
const productsOnDevice = (transposed = true): number[] =>
  SHAPES.map(([m, k, n]) =>
    scoped(() => {
      const a = tf.tensor2d(values([m, k]), [m, k]);
      const shape: [number, number] = transposed ? [n, k] : [k, n];
      const b = tf.variable(tf.tensor2d(values(shape), shape));
      const ms = medianMs(() => finish(() => tf.matMul(a, b, false, transposed)));
      b.dispose();
      return ms;
    }),
  );

async function productsOfOnnxRuntime(threads: number): Promise<number[]> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const times: number[] = [];
  for (const [m, k, n] of SHAPES) {
    const options = { executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 };
    const session = await InferenceSession.create(productModel([m, k, n], values([k, n])), options);
    const a = new Tensor('float32', values([m, k]), [m, k]);
    times.push(await medianMsAsync(async () => void (await session.run({ a }))));
    await session.release();
  }
  return times;
}

/** How long do other libraries take for the same products, in this process? */
export const peersBenchmark: Benchmark = {
  name: 'peers',
  run: async (device) => {
    const ours = productsOnDevice();
    const lines: Measurement[] = [];
    const compare = (what: string, times: number[]) =>
      SHAPES.forEach(([m, k, n], i) => {
        const line = { what: `sgemm by ${what}`, shape: `${m}×${k}×${n}`, device, floor: `the same on ${device}` };
        lines.push(measurement(line, times[i], ours[i]));
      });
    const threads = device === 'native' ? nativeInfo().threads : 1;
    await productsOfOnnxRuntime(threads).then(
      (times) => compare('onnxruntime-node', times),
      (error) => skip('onnxruntime-node', error),
    );
    try {
      await openDevice({ device: 'wasm' });
      compare('tfjs-wasm', productsOnDevice(false));
    } catch (error) {
      skip('tfjs-wasm', error);
    } finally {
      await openDevice({ device, threads });
    }
    return lines;
  },
};
