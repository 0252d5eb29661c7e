import * as tf from '@tensorflow/tfjs';
import { type SourceRow, silu, sourceRow } from '@/kernels/ops';
import type { PlacedAttention, PlacedScan } from '@/lib/architectures/places';
import type { AttentionConfig } from '@/lib/architectures/types';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';

/**
 * What was seen in a block of one sequence, by hook name; each [1,L,…]. Of what is read at the last token alone (the gate, the
 * scan's output, the difference, the block's output) that row is enough.
 */
export type Seen = ReadonlyMap<string, tf.Tensor>;

/** @throws where it was not seen */
export function seenAt(seen: Seen, name: string): tf.Tensor {
  const found = seen.get(name);
  if (!found) throw new Error(`${name} was not captured.`);
  return found;
}

/** Hook names that {@link sourceTerms} reads: none of them takes a fused kernel of the forward pass apart. */
export const termNames = ({ family, at }: PlacedScan): string[] =>
  ['skip', 'in_proj', 'A', 'B', 'C', ...(family === 'mamba1' ? ['delta_2'] : ['delta', 'ssm_output'])].map(at);

/**
 * What every source token brings to one scan's output at token i, the last of L, split by channel: v[j,e] with
 *
 *     Σ_j v[j,e] + free[e] = (y_i + D x_i)[e] · SiLU(z_i[e])     Mamba-2 kinds: · norm weight / rms, the gated norm
 *
 * the row i of the whole-block map (equations C2) times x0: convolution, σ(conv), scan with D, gate and norm,
 * everything that depends on data held at its value. Δ of S6 is taken before softplus where that was seen, else after it. Cost:
 * that of {@link sourceRow}; call it inside `tf.tidy`.
 */
export function sourceTerms(model: Model, mixer: MixerConfig, scan: PlacedScan, seen: Seen): SourceRow {
  const { E, K } = mixer;
  const { family, parameters, parameter, at } = scan;
  const weight = (name: string) => model.parameters.get(parameter(name)) as tf.Tensor | undefined;
  // Without the axis of batches.
  const of = (point: string) => {
    const value = seenAt(seen, at(point));
    return value.reshape(value.shape.slice(1));
  };
  const softplus = family === 'mamba1' && seen.has(at('delta_2'));
  const C = of('C');
  const L = C.shape[0];
  const convBias = weight(`${parameters.conv}.bias`) as tf.Tensor1D | undefined;
  return sourceRow(
    {
      x: of('in_proj') as tf.Tensor2D,
      weight: (weight(`${parameters.conv}.weight`) as tf.Tensor3D).slice([0, 0, 0], [E, 1, K]),
      bias: convBias?.slice([0], [E]),
      scale: outputScale(mixer, scan, weight, of),
      delta: of(softplus ? 'delta_2' : 'delta') as tf.Tensor2D,
      A: seenAt(seen, at('A')),
      B: of('B'),
      C: C.slice([L - 1], [1]).reshape(C.shape.slice(1)),
      D: weight(parameters.D) as tf.Tensor1D,
    },
    { softplus },
  );
}

/** What multiplies the scan's output of each channel at the last token: SiLU(z), and the gated norm of Mamba-2 kinds [E]. */
function outputScale(
  { E, G, epsilon, variant }: MixerConfig,
  { parameters: { norm } }: PlacedScan,
  weight: (name: string) => tf.Tensor | undefined,
  of: (point: string) => tf.Tensor,
): tf.Tensor1D {
  const row = (point: string) => {
    const value = of(point);
    return value.slice([value.shape[0] - 1, 0], [1, E]).reshape<tf.Tensor1D>([E]);
  };
  const gate = silu(row('skip'));
  if (norm === undefined || variant?.norm === 'none') return gate;
  const scanned = row('ssm_output');
  const squares = (variant?.norm === 'before_gate' ? scanned : scanned.mul(gate)).square().reshape([G, E / G]);
  const inverse = tf.rsqrt(tf.mean(squares, 1, true).add(epsilon));
  return tf
    .mul(tf.ones([G, E / G]), inverse)
    .reshape<tf.Tensor1D>([E])
    .mul<tf.Tensor1D>(gate)
    .mul(weight(norm) as tf.Tensor1D);
}

/** Hook names that {@link attentionTerms} reads. */
export const attentionNames = ({ at }: PlacedAttention): string[] => (['q', 'k', 'v'] as const).map(at);

/**
 * What every source token brings to z at the last token, split by channel: P_h[i,j] v_g(h)[j]. The bias of v, if there is one, is
 * a part of v. Call it inside `tf.tidy`.
 */
export function attentionTerms({ H, KV, D, scale }: AttentionConfig, { at }: PlacedAttention, seen: Seen): SourceRow {
  const [q, k, v] = (['q', 'k', 'v'] as const).map((point) => seenAt(seen, at(point)));
  const L = k.shape[1] as number;
  const [keys, values] = [k, v].map((each) => each.reshape([L, KV, D]).transpose([1, 0, 2]));
  const query = q.slice([0, (q.shape[1] as number) - 1, 0, 0], [1, 1, H, D]).reshape([KV, H / KV, D]);
  const weights = tf.softmax(tf.matMul(query, keys, false, true).mul(scale)).reshape([KV, H / KV, L, 1]);
  const parts = weights.mul(values.reshape([KV, 1, L, D])).reshape([H, L, D]);
  return { sources: parts.transpose([1, 0, 2]).reshape<tf.Tensor2D>([L, H * D]) };
}
