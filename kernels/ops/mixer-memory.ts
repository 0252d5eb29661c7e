import * as tf from '@tensorflow/tfjs';
import { requireShape } from './validate';

/** What a mixer in one kernel gives, and leaves behind for the tokens that follow. */
export interface MixerOutput {
  readonly y: tf.Tensor3D;
  /** The last K−1 inputs of the convolution [B,K−1,channels]. */
  readonly past: tf.Tensor3D;
  /** Mamba-1 [B,E,N], Mamba-2 [B,H,P,N]. */
  readonly state: tf.Tensor;
}

/** What the tokens before left; 0 where absent. */
export type MixerMemory = Partial<Pick<MixerOutput, 'past' | 'state'>>;

/** Sizes of a memory: [B,K−1,channels], and those of the state with their letters. */
export interface MemoryShape {
  readonly past: readonly number[];
  readonly state: readonly number[];
  readonly letters: 'B,E,N' | 'B,H,P,N';
}

/**
 * Runs a mixer's kernel from what the tokens before left.
 * @throws OperandError where that does not fit.
 */
export function runFrom(
  { past, state }: MixerMemory,
  shape: MemoryShape,
  kernel: string,
  inputs: Readonly<Record<string, tf.Tensor>>,
  attributes: tf.NamedAttrMap = {},
): MixerOutput {
  if (past) requireShape(kernel, 'past', past, 'B,K-1,channels', shape.past);
  if (state) requireShape(kernel, 'state', state, shape.letters, shape.state);
  const named = { ...inputs, ...(past && { past }), ...(state && { state }) };
  const outputs = tf.engine().runKernel(kernel, named, attributes) as tf.Tensor[];
  return { y: outputs[0] as tf.Tensor3D, past: outputs[1] as tf.Tensor3D, state: outputs[2] };
}

/** Whether the current device has the kernel, which has no gradient, and nobody asks for one. */
export const hasForward = (kernel: string): boolean =>
  tf.getKernel(kernel, tf.getBackend()) !== undefined && !tf.engine().isTapeOn();
