import * as tf from '@tensorflow/tfjs';

/** How a device keeps weights once more, in the order of its products, when they have come back a few times. */
export interface Packing {
  /** Products of fewer or more rows read weights where they are. */
  readonly fewestRows: number;
  readonly mostRows: number;
  /** Of all packed weights together. */
  readonly budgetBytes: number;
}

/** Null on a device that keeps weights once. */
export const packing = (): Packing | null => (tf.backend() as { readonly packing?: Packing }).packing ?? null;
