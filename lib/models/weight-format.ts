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

/** Numbers of a checkpoint's weights, and how many of them take two bytes on a device that computes from 16 bits. */
export interface WeightCounts {
  readonly parameters: number;
  readonly halves: number;
}

const isHalf = (name: string, { dtype }: Pick<CheckpointTensor, 'dtype'>, choice: WeightChoice): boolean =>
  isMatrix(name) && (choice === 'bf16' || (choice === 'file' && (dtype === 'bfloat16' || dtype === 'float16')));

/** Counts weights by their headers alone. */
export function weightCounts(
  tensors: ReadonlyMap<string, Pick<CheckpointTensor, 'dtype' | 'shape'>>,
  choice: WeightChoice,
): WeightCounts {
  let [parameters, halves] = [0, 0];
  for (const [name, tensor] of tensors) {
    const count = tensor.shape.reduce((product, size) => product * size, 1);
    parameters += count;
    if (isHalf(name, tensor, choice)) halves += count;
  }
  return { parameters, halves };
}

/** Bytes that weights take in memory. @param keeps whether the device computes from 16 bits */
export const weightBytes = ({ parameters, halves }: WeightCounts, keeps: boolean): number =>
  4 * parameters - (keeps ? 2 * halves : 0);
