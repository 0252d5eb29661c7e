import * as tf from '@tensorflow/tfjs';
import {
  hasSsdMixer,
  hasSsdMixerWithState,
  rmsNorm,
  ssdMixer,
  ssdMixerWithState,
  ssdScan,
  ssdScanWithState,
} from '@/kernels/ops';
import type { Tap } from '../tap';
import type { MixerConfig } from '../types';
import { convolve, linear, silu, splitLast } from './nn';
import { ssdOfOneToken } from './one-token';
import { SSD_POINTS } from './points';
import type { SsdWeights } from './ssd-weights';
import { at, explicitPositions, recall, remember, scanInKernel, scanInTheOpen } from './states';

/**
 * SSD, the Mamba-2 mixer up to its output projection (equations A2, steps 1–5): u [B,L,d] → [B,L,E].
 *
 *     [z | x | B | C | dt] = W_in u,   [x | B | C] ← SiLU(conv([x | B | C])),   Δ = clamp(softplus(dt + dt_bias))
 *     S_t = exp(Δ_t A_h) S_{t−1} + Δ_t B_t x_t,   y_t = C_t·S_t + D_h x_t
 *     g = RMS(y ⊙ SiLU(z); norm)
 *
 * Head h reads group floor(h / (H/G)); the norm is taken over each of the G slices of E/G channels.
 */
export function ssd(u: tf.Tensor3D, w: SsdWeights, config: MixerConfig, tap: Tap): tf.Tensor3D {
  return (config.variant ? null : ssdOfOneToken(u, w, config, tap)) ?? inFull(u, w, config, tap);
}

function inFull(u: tf.Tensor3D, w: SsdWeights, config: MixerConfig, tap: Tap): tf.Tensor3D {
  const { E, N, H, P, G } = config;
  const [batch, L] = u.shape;
  const projected = projection(u, w, config);
  const positions = explicitPositions(tap, L);
  if (!positions && isUnobserved(config, tap)) return inOneKernel(projected, w, config, tap);
  const [z0, xBC0, dt] = splitLast(projected, [E, E + 2 * G * N, H]);
  const z = tap.at('hook_skip', z0);
  const [x0, B0, C0] = splitLast(convolve(tapInput(xBC0, config, tap), w.conv, tap), [E, G * N, G * N]);
  const x = tap.at('hook_ssm_input', x0);

  const delta = tap.at('hook_delta', clampedSoftplus(tap.at('hook_delta_2', dt.add(w.dt_bias)), config.timeStepLimit));
  const A = tap.at('hook_A', tf.exp(w.A_log).neg() as tf.Tensor1D);
  const B = tap.at('hook_B', B0.reshape([batch, L, G, N]) as tf.Tensor4D);
  const C = tap.at('hook_C', C0.reshape([batch, L, G, N]) as tf.Tensor4D);
  const heads = x.reshape([batch, L, H, P]) as tf.Tensor4D;

  if (positions === null && !tap.wants('hook_y')) {
    const output = scanInKernel({ x: heads, delta, A, B, C, D: w.D }, tap, ssdScan, ssdScanWithState);
    return gatedNorm(tap.at('hook_ssm_output', output.reshape([batch, L, E]) as tf.Tensor3D), z, w.norm, config, tap);
  }
  const scanned =
    positions === null
      ? scanInKernel({ x: heads, delta, A, B, C }, tap, ssdScan, ssdScanWithState)
      : statefulScan(heads, delta, A, B, C, positions, config, tap);
  const y = tap.at('hook_y', scanned.reshape([batch, L, E]) as tf.Tensor3D);
  const skip = heads.mul(w.D.reshape([H, 1])).reshape([batch, L, E]);
  return gatedNorm(tap.at('hook_ssm_output', y.add(skip) as tf.Tensor3D), z, w.norm, config, tap);
}

/** W_in u; of Falcon-H1 W_in (m u) + b with each of its parts times a multiplier of its own. */
function projection(u: tf.Tensor3D, { inProj }: SsdWeights, { E, N, G, H, variant }: MixerConfig): tf.Tensor3D {
  if (!variant) return linear(u, inProj);
  const factors = [E, E, G * N, G * N, H].map((width, k) => tf.fill([width], variant.parts[k]));
  return linear(u.mul(variant.input) as tf.Tensor3D, inProj).mul(tf.concat(factors));
}

/** Δ is not clamped and nothing is multiplied on the way: what kernels of a whole mixer compute. */
export const isPlainSsd = ({ timeStepLimit: [low, high], variant }: MixerConfig): boolean =>
  !variant && low === 0 && high === Number.POSITIVE_INFINITY;

/** Nobody looks inside, on a device that has one kernel for all of it. */
const isUnobserved = (config: MixerConfig, tap: Tap): boolean =>
  (tap.memory ? hasSsdMixerWithState() : hasSsdMixer()) &&
  isPlainSsd(config) &&
  !SSD_POINTS.some((point) => tap.wants(`hook_${point}`));

function inOneKernel(
  projected: tf.Tensor3D,
  w: SsdWeights,
  { G: groups, epsilon }: MixerConfig,
  { memory }: Tap,
): tf.Tensor3D {
  const { conv, dt_bias: dtBias, A_log, D, norm } = w;
  const convWeight = conv('weight') as tf.Tensor3D;
  const convBias = conv.has('bias') ? (conv('bias') as tf.Tensor1D) : undefined;
  const tensors = { projected, convWeight, convBias, dtBias, A_log, D, norm: norm as tf.Tensor1D };
  const options = { groups, epsilon };
  return memory ? remember(ssdMixerWithState(tensors, options, recall(memory)), memory) : ssdMixer(tensors, options);
}

/** `hook_in_proj` shows x before the convolution, which runs over x, B and C together. */
function tapInput(xBC: tf.Tensor3D, { E, N, G }: MixerConfig, tap: Tap): tf.Tensor3D {
  if (!tap.wants('hook_in_proj')) return xBC;
  const [x, BC] = splitLast(xBC, [E, 2 * G * N]);
  return tf.concat([tap.at('hook_in_proj', x), BC], 2);
}

function clampedSoftplus(x: tf.Tensor, [low, high]: readonly [number, number]): tf.Tensor3D {
  const delta = tf.softplus(x);
  return (
    low > 0 || high < Number.POSITIVE_INFINITY ? tf.clipByValue(delta, low, Math.min(high, 3e38)) : delta
  ) as tf.Tensor3D;
}

/** RMS(y ⊙ SiLU(z)); of Falcon-H1 also RMS(y) ⊙ SiLU(z), or y ⊙ SiLU(z), where the gate is the last that is done. */
function gatedNorm(
  y: tf.Tensor3D,
  z: tf.Tensor3D,
  norm: tf.Tensor1D | undefined,
  { epsilon, G, variant }: MixerConfig,
  tap: Tap,
): tf.Tensor3D {
  const weight = norm as tf.Tensor1D;
  if (variant && variant.norm !== 'after_gate') {
    const first = variant.norm === 'none' ? y : rmsNorm(y, weight, { epsilon, groups: G });
    return tap.at('hook_gated_norm', tap.at('hook_after_skip', first.mul(silu(z)) as tf.Tensor3D));
  }
  const normed = tap.wants('hook_after_skip')
    ? rmsNorm(tap.at('hook_after_skip', y.mul(silu(z)) as tf.Tensor3D), weight, { epsilon, groups: G })
    : rmsNorm(y, weight, { epsilon, groups: G, gate: z });
  return tap.at('hook_gated_norm', normed);
}

/** The recurrence with Ā, B̄ and the states [B,H,P,N] as tensors that hooks can read and replace. */
function statefulScan(
  x: tf.Tensor4D,
  delta: tf.Tensor3D,
  A: tf.Tensor1D,
  B: tf.Tensor4D,
  C: tf.Tensor4D,
  positions: ReadonlySet<number>,
  { H, G }: MixerConfig,
  tap: Tap,
): tf.Tensor {
  const group = tf.range(0, H, 1, 'int32').floorDiv(tf.scalar(H / G, 'int32')) as tf.Tensor1D;
  const perHead = (groups: tf.Tensor, axis = 2) => tf.gather(groups, group, axis);
  const A_bar = tap.at('hook_A_bar', tf.exp(delta.mul(A)));
  const B_bar = tap.wants('hook_B_bar') && tap.at('hook_B_bar', delta.expandDims(3).mul(perHead(B)));
  const write = (t: number) =>
    B_bar
      ? at(B_bar, t)
      : at(delta, t)
          .expandDims(2)
          .mul(perHead(at(B, t), 1));
  const recurrence = {
    L: x.shape[1],
    decay: (t: number) => at(A_bar, t).expandDims(2).expandDims(3),
    input: (t: number) => at(x, t).expandDims(3).mul(write(t).expandDims(2)),
    read: (h: tf.Tensor, t: number) => tf.sum(h.mul(perHead(at(C, t), 1).expandDims(2)), 3),
  };
  return scanInTheOpen(recurrence, positions, tap);
}
