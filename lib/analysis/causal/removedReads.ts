import * as tf from '@tensorflow/tfjs';
import { selectiveScan, ssdScan } from '@/kernels/ops';
import type { S6Inputs } from '../s6Inputs';
import type { Span } from '../snr';
import { valuesOf } from './continuation';

/**
 * What one scan's outputs owe to the tokens of a span: Σ_{j in span} α[i,j] x_j for every i, [L,E]; zero before the span.
 * It is what a knock-out of those reads takes out of y. Cost: one scan.
 */
export function readsFrom(inputs: S6Inputs, [start, end]: Span): Float32Array {
  const { L, E, N } = inputs;
  const x = new Float32Array(L * E);
  x.set(inputs.x.subarray(start * E, end * E), start * E);
  return valuesOf(
    tf.tidy(() => {
      if (inputs.family === 'mamba1')
        return selectiveScan({
          x: tf.tensor3d(x, [1, L, E]),
          delta: tf.tensor3d(inputs.delta, [1, L, E]),
          A: tf.tensor2d(inputs.A, [E, N]),
          B: tf.tensor3d(inputs.B, [1, L, N]),
          C: tf.tensor3d(inputs.C, [1, L, N]),
        });
      const { H, P, G } = inputs;
      return ssdScan({
        x: tf.tensor4d(x, [1, L, H, P]),
        delta: tf.tensor3d(inputs.delta, [1, L, H]),
        A: tf.tensor1d(inputs.A),
        B: tf.tensor4d(inputs.B, [1, L, G, N]),
        C: tf.tensor4d(inputs.C, [1, L, G, N]),
      });
    }),
  );
}
