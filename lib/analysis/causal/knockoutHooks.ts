import * as tf from '@tensorflow/tfjs';
import { causalConv1d, selectiveScan, ssdScan } from '@/kernels/ops';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import type { Span } from '../snr';
import type { Mixer } from './points';
import { replaceRegions } from './replacement';
import { type ScanNames, scanNamesOf } from './scanNames';

/** In one row of a batch: which tokens are not read any more, and by which. */
export interface RemovedRead {
  readonly sources: Span;
  readonly queries: Span;
}

/** See {@link KnockoutRequest}. */
export type Reads = 'scan' | 'block';

/**
 * Hooks that take reads out of block i: row k of a batch loses `removed[k]`. Exact and linear in what is removed: Δ, B, C,
 * the gate and the slope of the activation stay as they were computed.
 */
export function knockoutHooks(
  model: Model,
  i: number,
  removed: readonly RemovedRead[],
  { reads, mixer }: { readonly reads: Reads; readonly mixer?: Mixer },
): Hook[] {
  const block = model.config.blocks[i];
  return scanNamesOf(i, block, mixer).flatMap((names) => scanHooks(model, block.mixer, names, removed, reads));
}

function scanHooks(
  model: Model,
  mixer: MixerConfig,
  names: ScanNames,
  removed: readonly RemovedRead[],
  reads: Reads,
): Hook[] {
  const seen = new Map<string, tf.Tensor>();
  const see = (name: string): Hook => [name, (value) => void seen.set(name, value)];
  const of = (name: string) => seen.get(name) as tf.Tensor;
  const queries = removed.map(({ queries }) => ({ positions: queries }));
  const inputs = [names.ssm_input, names.delta, names.A, names.B, names.C];
  let without: tf.Tensor | undefined;

  const scan: Hook = [
    names.y,
    (y) => {
      const x = of(names.ssm_input) as tf.Tensor3D;
      const kept: tf.Tensor3D =
        reads === 'scan'
          ? tf.mul(x, sourceMask(removed, x.shape[1], false))
          : withoutTokens(model, mixer, names, of, removed);
      without = kept;
      return replaceRegions(
        y,
        scanned(mixer, kept, (quantity) => of(names[quantity])),
        queries,
      );
    },
  ];
  if (reads === 'scan') return [...inputs.map(see), scan];

  const skip: Hook = [
    names.ssm_output,
    (output) => {
      const lost: tf.Tensor = tf.sub(of(names.ssm_input), without as tf.Tensor).mul(skipWeights(model, mixer, names));
      return replaceRegions(output, output.sub(lost), queries);
    },
  ];
  return [...[names.in_proj, names.conv, ...inputs].map(see), scan, skip];
}

/** 1 at the sources of each row, or everywhere else: [rows,L,1]. */
function sourceMask(removed: readonly RemovedRead[], L: number, inside: boolean): tf.Tensor3D {
  const mask = new Float32Array(removed.length * L).fill(inside ? 0 : 1);
  removed.forEach(({ sources: [start, end] }, row) => {
    mask.fill(inside ? 1 : 0, row * L + start, row * L + Math.min(end, L));
  });
  return tf.tensor3d(mask, [removed.length, L, 1]);
}

/** x = σ(c) ⊙ c with what the convolution took from the sources taken out of c, and σ(c) as it was. */
function withoutTokens(
  model: Model,
  { E }: MixerConfig,
  names: ScanNames,
  of: (name: string) => tf.Tensor,
  removed: readonly RemovedRead[],
): tf.Tensor3D {
  const x0 = of(names.in_proj) as tf.Tensor3D;
  const c = of(names.conv).slice([0, 0, 0], [-1, -1, E]);
  const weight = model.parameters.get(names.parameters.conv) as unknown as tf.Tensor3D;
  const kernel = weight.slice([0, 0, 0], [E, -1, -1]);
  const taken = causalConv1d(tf.mul(x0, sourceMask(removed, x0.shape[1], true)), kernel, null);
  return tf.mul(tf.sigmoid(c), tf.sub(c, taken));
}

/** D per channel [E]. */
function skipWeights(model: Model, { E, H, P }: MixerConfig, { parameters }: ScanNames): tf.Tensor {
  const D = model.parameters.get(parameters.D) as unknown as tf.Tensor;
  return H > 0 ? tf.tile(D.reshape([H, 1]), [1, P]).reshape([E]) : D;
}

/** The scan of the block with another input x [rows,L,E]. */
function scanned(
  { E, H, P }: MixerConfig,
  x: tf.Tensor3D,
  of: (quantity: 'delta' | 'A' | 'B' | 'C') => tf.Tensor,
): tf.Tensor3D {
  const [rows, L] = x.shape;
  if (H === 0) {
    const [delta, B, C] = [of('delta'), of('B'), of('C')] as tf.Tensor3D[];
    return selectiveScan({ x, delta, A: of('A') as tf.Tensor2D, B, C });
  }
  const heads = x.reshape([rows, L, H, P]) as tf.Tensor4D;
  const [B, C] = [of('B'), of('C')] as tf.Tensor4D[];
  const y = ssdScan({ x: heads, delta: of('delta') as tf.Tensor3D, A: of('A') as tf.Tensor1D, B, C });
  return y.reshape([rows, L, E]);
}
