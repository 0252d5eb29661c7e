import * as tf from '@tensorflow/tfjs';
import { linear } from '@/lib/architectures/equations/nn';
import type { Weights } from '@/lib/architectures/weights';
import type { Tap } from '../hooks';

/** GELU(x) = x Φ(x) = x/2 (1 + erf(x/√2)), the exact form. */
export const gelu = <T extends tf.Tensor>(x: T): T => x.mul(tf.erf(x.mul(Math.SQRT1_2)).add(1)).mul(0.5) as T;

/**
 * The suite's FFN (equations A3): u [B,L,d] → W₂ dropout(GELU(W₁ u + b₁)) + b₂ [B,L,d], 4d wide inside.
 * `drop` is the dropout at this place.
 */
export function feedForward(u: tf.Tensor3D, w: Weights, tap: Tap, drop: (x: tf.Tensor3D) => tf.Tensor3D): tf.Tensor3D {
  const inner = tap.at('hook_ffn_pre', linear(u, w.under('ff.0.0')));
  const active = tap.at('hook_ffn_post', gelu(inner));
  return tap.at('hook_out_proj', linear(drop(active), w.under('ff.2')));
}
