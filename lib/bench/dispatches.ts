import * as tf from '@tensorflow/tfjs';
import { type Dispatched, dispatchesOf } from '@/kernels/webgpu/traffic';
import type { ModelConfig } from '@/lib/checkpoint';
import { createModel, type DecodingState, disposeState, extend, type Model, type ModelSettings } from '@/lib/models';
import { type Benchmark, type Measurement, measurement } from './measure';
import { MAMBA_130M, MAMBA2_130M, productsOf, randomCheckpoint, tokensOf } from './shapes';

/** A large GPU of 2024: bytes and float32 operations a second. */
const [BANDWIDTH, RATE] = [3e12, 60e12];

const L = 512;

/** Milliseconds of the programs one after another, each at the limit that binds it: bytes and float32 operations a second. */
export const rooflineMs = (programs: readonly Dispatched[], bandwidth = BANDWIDTH, rate = RATE): number =>
  programs.reduce((sum, { bytes, flops }) => sum + 1000 * Math.max(bytes / bandwidth, flops / rate), 0);

type Programs = (model: Model) => Dispatched[];

const ofForward: Programs = (model) => dispatchesOf(() => tf.dispose(model.forward(tokensOf(1, L, model.config.V))));

/** Of `length` tokens that follow others. */
const continued =
  (length: number): Programs =>
  (model) => {
    let state: DecodingState | undefined;
    const next = () => {
      const read = extend(model, tokensOf(1, length, model.config.V), state);
      read.logits.dispose();
      if (state) disposeState(state);
      state = read.state;
    };
    dispatchesOf(next);
    const programs = dispatchesOf(next);
    if (state) disposeState(state);
    return programs;
  };

function programsOf(shape: ModelConfig, layers: number, of: Programs, settings?: ModelSettings): Dispatched[] {
  const model = createModel(randomCheckpoint({ ...shape, blocks: shape.blocks.slice(0, layers) }), settings);
  const programs = of(model);
  model.dispose();
  return programs;
}

interface Asked {
  readonly dispatches: number;
  readonly bytes: number;
  readonly ms: number;
}

/** Programs, bytes and time of a forward. */
export const forwardOnGpu = (shape: ModelConfig, settings?: ModelSettings): Asked => onGpu(shape, ofForward, settings);

/** The same of one more token. */
export const tokenOnGpu = (shape: ModelConfig, settings?: ModelSettings): Asked => onGpu(shape, continued(1), settings);

/** Of as many tokens as a forward, from the state that others left, last logits. */
export const continuedOnGpu = (shape: ModelConfig): Asked => onGpu(shape, continued(L));

/** Counted with one and with two layers, so every further one is known. */
function onGpu(shape: ModelConfig, of: Programs, settings?: ModelSettings): Asked {
  const [one, two] = [1, 2].map((layers) => programsOf(shape, layers, of, settings));
  const whole = (count: (programs: readonly Dispatched[]) => number) =>
    count(one) + (shape.blocks.length - 1) * (count(two) - count(one));
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

function derivedToken(device: string, what: string, shape: ModelConfig): Measurement {
  const { dispatches, bytes, ms } = tokenOnGpu(shape);
  const weights = productsOf(shape).reduce((sum, [k, n]) => sum + k * n, 0);
  const layout = `${dispatches} dispatches, ${(bytes / 1e9).toFixed(2)} GB`;
  const floor = 'reading the weights once at 3 TB/s';
  return measurement(
    { what: `derived for 3 TB/s and 60 TFLOP/s, not timed: one token, ${what}`, shape: layout, device, floor },
    ms,
    (1000 * 4 * weights) / BANDWIDTH,
  );
}

/** What do a forward and a token ask of a GPU, and how long must it at least take on a large one? Only on the webgpu device. */
export const dispatchBenchmark: Benchmark = {
  name: 'webgpu dispatches',
  run: (device) =>
    device === 'webgpu'
      ? [derived, derivedToken].flatMap((line) => [
          line(device, 'Mamba-130m', MAMBA_130M),
          line(device, 'Mamba2-130m', MAMBA2_130M),
        ])
      : [],
};
