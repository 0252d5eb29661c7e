import * as tf from '@tensorflow/tfjs';
import { rmsNorm } from '@/kernels/ops';
import type { Tap } from '../tap';
import type { HybridBlock, MlpConfig, Shapes } from '../types';
import type { Weights } from '../weights';
import { linear, silu, splitLast, times } from './nn';
import { projection } from './tensors';

/** What the MLP of a block adds to h [B,L,d]: scale · F(RMS(h; norm)). @param f the MLP on its normalised input */
export function afterMixers(
  h: tf.Tensor3D,
  norm: tf.Tensor,
  { epsilon, scales }: HybridBlock,
  tap: Tap,
  f: (u: tf.Tensor3D) => tf.Tensor3D,
): tf.Tensor3D {
  return times(f(tap.at('hook_mlp_input', rmsNorm(h, norm as tf.Tensor1D, { epsilon }))), scales.mlp);
}

/** m₁ · W_down(SiLU(m₀ · gate) ⊙ up), gate and up from projections of their own: u [B,L,d] → [B,L,d]. */
export function gatedMlp(u: tf.Tensor3D, w: Weights, config: MlpConfig, tap: Tap): tf.Tensor3D {
  return gated([linear(u, w.under('gate_proj')), linear(u, w.under('up_proj'))], w.under('down_proj'), config, tap);
}

/** The same with [gate | up] from one projection. */
export function joinedMlp(u: tf.Tensor3D, w: Weights, config: MlpConfig, tap: Tap): tf.Tensor3D {
  const parts = splitLast(linear(u, w.under('input_linear')), [config.width, config.width]);
  return gated(parts, w.under('output_linear'), config, tap);
}

function gated([gate, up]: tf.Tensor3D[], down: Weights, config: MlpConfig, tap: Tap): tf.Tensor3D {
  const opened = silu(times(tap.at('hook_mlp_gate', gate), config.gate));
  const act = tap.at('hook_mlp_act', opened.mul(tap.at('hook_mlp_up', up)) as tf.Tensor3D);
  return tap.at('hook_mlp_out', times(linear(act, down), config.output));
}

/** W_down relu(W_up u)². */
export function squaredMlp(u: tf.Tensor3D, w: Weights, tap: Tap): tf.Tensor3D {
  const act = tap.at('hook_mlp_act', tf.square(tf.relu(tap.at('hook_mlp_up', linear(u, w.under('up_proj'))))));
  return tap.at('hook_mlp_out', linear(act, w.under('down_proj')));
}

export const gatedMlpTensors = (d: number, { width, useBias }: MlpConfig): Shapes => [
  ...projection('gate_proj', width, d, useBias),
  ...projection('up_proj', width, d, useBias),
  ...projection('down_proj', d, width, useBias),
];
