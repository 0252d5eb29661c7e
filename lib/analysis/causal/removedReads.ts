import * as tf from '@tensorflow/tfjs';
import { rescan, scanTensors } from '../rescan';
import type { S6Inputs } from '../s6Inputs';
import type { Span } from '../span';
import { valuesOf } from './continuation';

/**
 * What one scan's outputs owe to the tokens of a span: Σ_{j in span} α[i,j] x_j for every i, [L,E]; zero before the span.
 * It is what a knock-out of those reads takes out of y. Cost: one scan.
 */
export function readsFrom(inputs: S6Inputs, [start, end]: Span): Float32Array {
  const { L, E } = inputs;
  const x = new Float32Array(L * E);
  x.set(inputs.x.subarray(start * E, end * E), start * E);
  return valuesOf(tf.tidy(() => rescan(scanTensors(inputs), tf.tensor3d(x, [1, L, E]))));
}
