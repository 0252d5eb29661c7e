import type * as tf from '@tensorflow/tfjs';

type Arrays = Readonly<Record<string, Float64Array | undefined>>;

/** One operation on one random input, with what the reference says of its value and gradients. */
export interface OpCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, { readonly shape: number[]; readonly values: Float64Array }>>;
  run(tensors: Record<string, tf.Tensor>): tf.Tensor;
  readonly expected: Float64Array;
  /** Weights of the outputs in the scalar whose gradients are taken; absent where there are none. */
  readonly dy?: Float64Array;
  readonly gradients?: Arrays;
}
