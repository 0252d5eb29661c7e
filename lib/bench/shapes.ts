import { scansOf } from '@/lib/architectures/places';
import { type BlockConfig, type Checkpoint, defaultLambdaInit, type ModelConfig } from '@/lib/checkpoint';
import { createModel, type Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { initialCheckpoint } from '@/lib/training';

const LIMIT = [0, Number.POSITIVE_INFINITY] as const;
const SHARED = { K: 4, timeStepLimit: LIMIT, useBias: false, useConvBias: true, epsilon: 1e-5 };

function mamba1(d: number): BlockConfig {
  return { kind: 'mamba1', mixer: { ...SHARED, d, E: 2 * d, N: 16, R: Math.ceil(d / 16), H: 0, P: 0, G: 0 } };
}

function mamba2(d: number, N = 128, P = 64): BlockConfig {
  return { kind: 'mamba2', mixer: { ...SHARED, d, E: 2 * d, N, R: 0, H: (2 * d) / P, P, G: 1 } };
}

/** Two mixers of half the width and half the head size, as the paper's models have them. */
function diffMamba2(d: number, index: number, N?: number, P?: number): BlockConfig {
  const { mixer } = mamba2(d, N, P);
  const half = { ...mixer, E: mixer.E / 2, P: mixer.P / 2 };
  const lambdaInit = defaultLambdaInit(index);
  return { kind: 'diff_mamba2', mixer: half, lambda: 'sigmoid_sum', lambdaInit, subln: true };
}

function config(block: (index: number) => BlockConfig, layers: number, V: number): ModelConfig {
  const blocks = Array.from({ length: layers }, (_, index) => block(index));
  return { format: 'statescope', d: blocks[0].mixer.d, V, vocabulary: V, epsilon: 1e-5, tied: true, blocks };
}

/** Every other block is differential, from the first on. */
const alternate = (d: number) => (index: number) => (index % 2 === 0 ? diffMamba2(d, index) : mamba2(d));

/** Mamba-130m: d = 768, 24 layers, N = 16, R = 48. */
export const MAMBA_130M = config(() => mamba1(768), 24, 50280);

/** Mamba2-130m: d = 768, 24 layers, 24 heads of 64, N = 128. */
export const MAMBA2_130M = config(() => mamba2(768), 24, 50288);

/** Diff-Mamba-2 of the same shape, every other block differential. */
export const DIFF_MAMBA2_130M = config(alternate(768), 24, 50288);

/** Mamba-370m: d = 1024, 48 layers. */
export const MAMBA_370M = config(() => mamba1(1024), 48, 50280);

/** Mamba2-370m: d = 1024, 48 layers, 32 heads of 64, N = 128. */
export const MAMBA2_370M = config(() => mamba2(1024), 48, 50288);

/** Diff-Mamba-2 of that shape, every other block differential. */
export const DIFF_MAMBA2_370M = config(alternate(1024), 48, 50288);

/** A shape that a processor which imitates a GPU gets through in seconds: a differential block and a plain one. */
export const TINY_DIFF = config((index) => (index === 0 ? diffMamba2(64, index, 16, 32) : mamba2(64, 16, 32)), 2, 500);

/** A model that a laptop can train: d = 256, 8 layers. */
export const SMALL = config(() => mamba1(256), 8, 4096);

/** The same of Mamba-2 blocks. */
export const SMALL_2 = config(() => mamba2(256), 8, 4096);

/** The same with every other block differential. */
export const SMALL_DIFF = config(alternate(256), 8, 4096);

/** A Mamba-2 that this machine trains from nothing in hours: d = 128, 8 layers, 64 states, 8 heads of 32. */
export const TRAINED_2 = config(() => mamba2(128, 64, 32), 8, 1500);

/** Its twin, every block differential. */
export const TRAINED_DIFF = config((index) => diffMamba2(128, index, 64, 32), 8, 1500);

/** Fresh random weights of the shape. */
export const randomCheckpoint = (shape: ModelConfig): Checkpoint =>
  initialCheckpoint(shape, new Random(1), 'random weights');

/** A model of the shape with fresh random weights. */
export const randomModel = (shape: ModelConfig): Model => createModel(randomCheckpoint(shape));

/** Inner and outer width of every matrix product of one token: [k, n] of [tokens, k] × [n, k]ᵀ. */
export function productsOf({ blocks, d, V }: ModelConfig): (readonly [k: number, n: number])[] {
  const inBlock = (block: BlockConfig): (readonly [number, number])[] => {
    const { E, N, R, H, G } = block.mixer;
    if (H === 0)
      return [
        [d, 2 * E],
        [E, R + 2 * N],
        [R, E],
        [E, d],
      ];
    const mixer = [[d, 2 * E + 2 * G * N + H] as const, [E, d] as const];
    return scansOf(block).flatMap(() => mixer);
  };
  return [...blocks.flatMap(inBlock), [d, V]];
}

export const tokensOf = (rows: number, L: number, V: number): number[][] => {
  const random = new Random(3);
  return Array.from({ length: rows }, () => Array.from({ length: L }, () => random.integer(0, V - 1)));
};
