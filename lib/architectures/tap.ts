import type * as tf from '@tensorflow/tfjs';

/** What a mixer carries from one call to the next while decoding: past convolution inputs and its SSM state. */
export interface Memory {
  /** Tokens before the first one of this call. */
  readonly position: number;
  recall(name: string): tf.Tensor | undefined;
  store(name: string, value: tf.Tensor): void;
}

/** What a forward pass asks of its observers, one instance per block scope. */
export interface Tap {
  /**
   * True when nobody observes and the two mixers of a differential block may run as one: the same values but for rounding,
   * in fewer and larger products.
   */
  readonly joins?: boolean;
  /** Present while decoding with state; names are relative to the scope. */
  readonly memory?: Memory;
  /** True when a hook or the cache asks for this point: only then must a fused kernel be taken apart. */
  wants(point: string): boolean;
  /** Passes a value through every hook of this point and returns what downstream computation must use. */
  at<T extends tf.Tensor>(point: string, value: T): T;
  /** The same tap below a prefix: `tap.scope('mixer_1').at('hook_delta', …)`. */
  scope(prefix: string): Tap;
}

/** A tap that nobody listens to. */
export const silent: Tap = { wants: () => false, at: (_point, value) => value, scope: () => silent };
