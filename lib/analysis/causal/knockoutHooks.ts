import * as tf from '@tensorflow/tfjs';
import { causalConv1d } from '@/kernels/ops';
import { attentionAt, type PlacedScan, scansAt } from '@/lib/architectures/places';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { rescan } from '../rescan';
import type { Span } from '../span';
import type { Mixer } from './points';
import { replaceRegions } from './replacement';

/** In one row of a batch: which tokens are not read any more, and by which. */
export interface RemovedRead {
  readonly sources: readonly Span[];
  readonly queries: Span;
}

/** See {@link KnockoutRequest}. */
export type Reads = 'scan' | 'block';

/**
 * Hooks that take reads out of block i: row k of a batch loses `removed[k]`. Exact and linear in what is removed: Δ, B, C,
 * the gate and the slope of the activation stay as they were computed, and so do the softmax weights that are left.
 */
export function knockoutHooks(
  model: Model,
  i: number,
  removed: readonly RemovedRead[],
  { reads, mixer }: { readonly reads: Reads; readonly mixer?: Mixer },
): Hook[] {
  const block = model.config.blocks[i];
  const scans = scansAt(i, block, mixer).flatMap((scan) => scanHooks(model, block.mixer, scan, removed, reads));
  const attention = mixer ? undefined : attentionAt(i, block);
  return attention
    ? [...scans, [attention.at('attn_pattern'), (P) => P.mul(patternMask(removed, P.shape[2] as number))]]
    : scans;
}

/** 0 where a query does not read a source any more, 1 elsewhere [rows,1,L,L]: the weights that are left stay as they were. */
function patternMask(removed: readonly RemovedRead[], L: number): tf.Tensor4D {
  const mask = new Float32Array(removed.length * L * L).fill(1);
  removed.forEach(({ sources, queries: [first, end] }, row) => {
    for (let i = first; i < Math.min(end, L); i++)
      for (const [from, to] of sources) {
        const at = (row * L + i) * L;
        mask.fill(0, at + from, at + Math.min(to, i + 1));
      }
  });
  return tf.tensor4d(mask, [removed.length, 1, L, L]);
}

function scanHooks(
  model: Model,
  mixer: MixerConfig,
  scan: PlacedScan,
  removed: readonly RemovedRead[],
  reads: Reads,
): Hook[] {
  const seen = new Map<string, tf.Tensor>();
  const see = (name: string): Hook => [name, (value) => void seen.set(name, value)];
  const of = (name: string) => seen.get(name) as tf.Tensor;
  const queries = removed.map(({ queries }) => ({ positions: [queries] }));
  const inputs = ['ssm_input', 'delta', 'A', 'B', 'C'].map(scan.at);
  let without: tf.Tensor | undefined;

  const scanned: Hook = [
    scan.at('y'),
    (y) => {
      const x = of(scan.at('ssm_input')) as tf.Tensor3D;
      const kept: tf.Tensor3D =
        reads === 'scan'
          ? tf.mul(x, sourceMask(removed, x.shape[1], false))
          : withoutTokens(model, mixer, scan, of, removed);
      without = kept;
      const [delta, A, B, C] = ['delta', 'A', 'B', 'C'].map((point) => of(scan.at(point)));
      return replaceRegions(y, rescan({ delta, A, B, C }, kept), queries);
    },
  ];
  if (reads === 'scan') return [...inputs.map(see), scanned];

  const skip: Hook = [
    scan.at('ssm_output'),
    (output) => {
      const lost: tf.Tensor = tf
        .sub(of(scan.at('ssm_input')), without as tf.Tensor)
        .mul(skipWeights(model, mixer, scan));
      return replaceRegions(output, output.sub(lost), queries);
    },
  ];
  return [...[scan.at('in_proj'), scan.at('conv'), ...inputs].map(see), scanned, skip];
}

/** 1 at the sources of each row, or everywhere else: [rows,L,1]. */
function sourceMask(removed: readonly RemovedRead[], L: number, inside: boolean): tf.Tensor3D {
  const mask = new Float32Array(removed.length * L).fill(inside ? 0 : 1);
  removed.forEach(({ sources }, row) => {
    for (const [start, end] of sources) mask.fill(inside ? 1 : 0, row * L + start, row * L + Math.min(end, L));
  });
  return tf.tensor3d(mask, [removed.length, L, 1]);
}

/** x = σ(c) ⊙ c with what the convolution took from the sources taken out of c, and σ(c) as it was. */
function withoutTokens(
  model: Model,
  { E }: MixerConfig,
  scan: PlacedScan,
  of: (name: string) => tf.Tensor,
  removed: readonly RemovedRead[],
): tf.Tensor3D {
  const x0 = of(scan.at('in_proj')) as tf.Tensor3D;
  const c = of(scan.at('conv')).slice([0, 0, 0], [-1, -1, E]);
  const weight = model.parameters.get(scan.parameter(`${scan.parameters.conv}.weight`)) as unknown as tf.Tensor3D;
  const kernel = weight.slice([0, 0, 0], [E, -1, -1]);
  const taken = causalConv1d(tf.mul(x0, sourceMask(removed, x0.shape[1], true)), kernel, null);
  return tf.mul(tf.sigmoid(c), tf.sub(c, taken));
}

/** D per channel [E]. */
export function skipWeights(model: Model, { E, H, P }: MixerConfig, { parameters, parameter }: PlacedScan): tf.Tensor {
  const D = model.parameters.get(parameter(parameters.D)) as unknown as tf.Tensor;
  return H > 0 ? tf.tile(D.reshape([H, 1]), [1, P]).reshape([E]) : D;
}
