import * as tf from '@tensorflow/tfjs';
import { type Dispatched, dispatchesOf } from '@/kernels/webgpu/traffic';
import type { ModelConfig } from '@/lib/checkpoint';
import { type Benchmark, type Measurement, measurement } from './measure';
import { MAMBA_130M, MAMBA2_130M, productsOf, randomModel, tokensOf } from './shapes';

/** A large GPU of 2024: bytes and float32 operations a second. */
const [BANDWIDTH, RATE] = [3e12, 60e12];

const L = 512;

/** Milliseconds of the programs one after another, each at the limit that binds it: bytes and float32 operations a second. */
export const rooflineMs = (programs: readonly Dispatched[], bandwidth = BANDWIDTH, rate = RATE): number =>
  programs.reduce((sum, { bytes, flops }) => sum + 1000 * Math.max(bytes / bandwidth, flops / rate), 0);

function programsOf(shape: ModelConfig, layers: number): Dispatched[] {
  const model = randomModel({ ...shape, blocks: shape.blocks.slice(0, layers) });
  const programs = dispatchesOf(() => tf.dispose(model.forward(tokensOf(1, L, shape.V))));
  model.dispose();
  return programs;
}

/** Programs, bytes and time of a forward: counted with one and with two layers, so every further one is known. */
export function forwardOnGpu(shape: ModelConfig): { dispatches: number; bytes: number; ms: number } {
  const [one, two] = [programsOf(shape, 1), programsOf(shape, 2)];
  const whole = (of: (programs: readonly Dispatched[]) => number) =>
    of(one) + (shape.blocks.length - 1) * (of(two) - of(one));
  return {
    dispatches: whole((programs) => programs.length),
    bytes: whole((programs) => programs.reduce((sum, { bytes }) => sum + bytes, 0)),
    ms: whole((programs) => rooflineMs(programs)),
  };
}

function derived(device: string, what: string, shape: ModelConfig): Measurement {
  const { dispatches, bytes, ms } = forwardOnGpu(shape);
  const products = productsOf(shape).reduce((sum, [k, n]) => sum + k * n, 0);
  const layout = `L=${L}: ${dispatches} dispatches, ${(bytes / 1e9).toFixed(2)} GB`;
  const floor = 'its matrix products at 60 TFLOP/s';
  return measurement(
    { what: `derived for 3 TB/s and 60 TFLOP/s, not timed: forward, ${what}`, shape: layout, device, floor },
    ms,
    (1000 * 2 * L * products) / RATE,
  );
}

/** What does a forward ask of a GPU, and how long must it at least take on a large one? Only on the webgpu device. */
export const dispatchBenchmark: Benchmark = {
  name: 'webgpu dispatches',
  run: (device) =>
    device === 'webgpu' ? [derived(device, 'Mamba-130m', MAMBA_130M), derived(device, 'Mamba2-130m', MAMBA2_130M)] : [],
};
