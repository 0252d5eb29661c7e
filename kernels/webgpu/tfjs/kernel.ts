import type * as tf from '@tensorflow/tfjs';
import type { Backend } from '../program';

/** What a tfjs kernel of ours receives; optional inputs may be absent. */
export interface Call {
  readonly backend: Backend;
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
}

export type Kernel = (call: Call) => tf.TensorInfo[];
