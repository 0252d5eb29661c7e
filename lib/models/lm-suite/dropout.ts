import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';

/** Zeroes each element with probability `rate` and divides the rest by 1 − rate; `site` names the place in the model. */
export type Dropout = <T extends tf.Tensor>(x: T, rate: number, site: string) => T;

export interface DropoutOptions {
  readonly training?: boolean;
  /** Same seed, same masks, on every device. Needed while training; take another one each step. */
  readonly seed?: number;
}

/**
 * Inverted dropout, off unless training. Every site draws from a stream of its own, named by seed and site, so that a
 * mask does not depend on what else the model computes.
 * @throws InputError when a mask is needed and there is no seed
 */
export function dropoutOf({ training = false, seed }: DropoutOptions): Dropout {
  if (!training) return (x) => x;
  return <T extends tf.Tensor>(x: T, rate: number, site: string) => {
    if (rate === 0) return x;
    if (seed === undefined) throw new InputError('Training with dropout needs a seed: give one for every step.');
    return tf.dropout(x, rate, undefined, `${seed} ${site}`) as T;
  };
}
