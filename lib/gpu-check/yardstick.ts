import * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch } from '@/kernels/webgpu/program';
import { type Timed, timed } from '@/kernels/webgpu/timing';
import { medianMs } from '@/lib/bench/measure';
import { scoped, tensor } from '@/lib/bench/operands';
import type { Size } from './step';

/** What this device reaches at best with programs that do nothing else. */
export interface Yardstick {
  /** Bytes a second of a copy, read and written. */
  readonly bandwidth: number;
  /** Float32 operations a second of a square product. */
  readonly rate: number;
}

const COPY = 'fn main(index: i32) { if (index < uniforms.count) { result[index] = source[index]; } }';

const RUNS = 5;

/** Time on the device where it has timestamps, else wall time. */
function fastestMs(make: () => tf.TensorInfo): number {
  const engine = tf.engine();
  const once = () => {
    const result = engine.makeTensorFromTensorInfo(make());
    result.flatten().slice(0, 1).dataSync();
    result.dispose();
  };
  const wall = () => scoped(() => medianMs(once, 500));
  once();
  const runs = Array.from({ length: RUNS }, () =>
    scoped(() => timed(() => tf.dispose(engine.makeTensorFromTensorInfo(make())))),
  );
  const total = (programs: readonly Timed[]) => programs.reduce((sum, { ms }) => sum + ms, 0);
  const best = Math.min(...runs.map(total));
  return best > 0 ? best : wall();
}

let known: Yardstick | undefined;

/** Measured once a process. */
export function yardstick({ small }: Size): Yardstick {
  if (known) return known;
  const backend = tf.backend() as Backend;
  const [count, side] = small ? [1 << 18, 128] : [1 << 26, 4096];
  known = scoped(() => {
    const source = tensor<tf.Rank.R1>([count]);
    const copy = { name: 'copy', inputs: { source }, output: [count], uniforms: { count }, threads: 256, code: COPY };
    const copyMs = fastestMs(() => dispatch(backend, { ...copy, groups: [Math.ceil(count / 256)] }));
    const [a, b] = [tensor<tf.Rank.R2>([side, side]), tensor<tf.Rank.R2>([side, side])];
    const productMs = fastestMs(() => tf.matMul(a, b, false, true));
    return { bandwidth: (8 * count * 1000) / copyMs, rate: (2 * side ** 3 * 1000) / productMs };
  });
  return known;
}
