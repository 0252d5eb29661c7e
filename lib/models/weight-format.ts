import type { Packing } from '@/kernels/ops';
import { type CheckpointTensor, InputError } from '@/lib/checkpoint/types';
import { WEIGHT_CHOICES, type WeightChoice } from '@/lib/vocabulary';

/** How matrices are kept where nobody says otherwise: `STATESCOPE_WEIGHTS`, else as the file has them. @throws InputError */
export function defaultWeightFormat(): WeightChoice {
  const wanted = process.env.STATESCOPE_WEIGHTS || 'file';
  const format = WEIGHT_CHOICES.find((name) => name === wanted);
  if (format) return format;
  throw new InputError(`STATESCOPE_WEIGHTS must be file, float32 or bf16, not "${wanted}".`);
}

/** Whether a parameter is one of the projections and embeddings that `bf16` rounds. */
export const isMatrix = (name: string): boolean => /(_proj|put_linear|embeddings|lm_head)\.weight$/.test(name);

/** Whether a parameter is multiplied with every token: a projection, and neither embedding nor head. */
const isProjection = (name: string): boolean => /(_proj|put_linear)\.weight$/.test(name);

/** Numbers of a checkpoint's weights. */
export interface WeightCounts {
  readonly parameters: number;
  /** Of these, what takes two bytes on a device that computes from 16 bits. */
  readonly halves: number;
  /** Of these, projections in float32. */
  readonly wideProjections: number;
}

const isHalf = (name: string, { dtype }: Pick<CheckpointTensor, 'dtype'>, choice: WeightChoice): boolean =>
  isMatrix(name) && (choice === 'bf16' || (choice === 'file' && (dtype === 'bfloat16' || dtype === 'float16')));

/** Counts weights by their headers alone. */
export function weightCounts(
  tensors: ReadonlyMap<string, Pick<CheckpointTensor, 'dtype' | 'shape'>>,
  choice: WeightChoice,
): WeightCounts {
  let [parameters, halves, wideProjections] = [0, 0, 0];
  for (const [name, tensor] of tensors) {
    const count = tensor.shape.reduce((product, size) => product * size, 1);
    parameters += count;
    if (isHalf(name, tensor, choice)) halves += count;
    else if (isProjection(name)) wideProjections += count;
  }
  return { parameters, halves, wideProjections };
}

/** Bytes that weights take in memory. @param keeps whether the device computes from 16 bits */
export const weightBytes = (
  { parameters, halves }: Pick<WeightCounts, 'parameters' | 'halves'>,
  keeps: boolean,
): number => 4 * parameters - (keeps ? 2 * halves : 0);

/**
 * Bytes that a device adds to weights that come back over prompts of so many tokens, its limit apart: as many as their
 * projections in float32, and a few per cent where a width is no multiple of its panels'.
 */
export const packedBytes = (
  { wideProjections }: Pick<WeightCounts, 'wideProjections'>,
  tokens: number,
  packing: Packing | null,
): number => (packing && tokens >= packing.fewestRows && tokens <= packing.mostRows ? 4 * wideProjections : 0);
