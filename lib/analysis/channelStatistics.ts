import * as tf from '@tensorflow/tfjs';
import { blockStatistics, STATISTICS_PER_CHANNEL } from '@/kernels/ops';
import { InputError } from '@/lib/checkpoint/types';
import type { ChannelStatistic, Unit } from '@/lib/vocabulary';
import { alone } from './blockFold';
import { valuesOf } from './blockForm';
import { foldedTerm, innerOf, partOf } from './contributions';
import type { Operator } from './operator';
import type { BlockCache, S6Inputs, ScanBranch } from './s6Inputs';
import { tidied } from './tidied';

/** Tokens, itself included, that count as near a target. */
export const NEAREST = 8;

/**
 * What a channel of an S6 scan, or a head of an SSD scan, does with |α|; means are over targets:
 * `half_life` tokens after which its slowest state has halved at its mean Δ; `entropy` of a row in nats; `sink` share of
 * token 0; `locality` share of the last {@link NEAREST} tokens; `distance` mean i − j in tokens; `max` largest |α|;
 * `output_share` of Σ ‖v_e‖² ‖W_e‖² over the block, v the gated output and W_e its column of the output projection.
 */
export interface ChannelStatistics {
  readonly scan: ScanBranch;
  /** Channels of Mamba-1 kinds, heads of Mamba-2 kinds. */
  readonly unit: Unit;
  readonly values: Readonly<Record<ChannelStatistic, Float32Array>>;
}

/**
 * Statistics of every channel or head of a block. Cost: one pass of the recurrence with a logarithm an entry, streamed.
 * @throws InputError where weights or activations are not finite
 */
export function channelStatistics(cache: BlockCache, operator: Operator): ChannelStatistics[] {
  if (cache.scans.size === 0)
    throw new InputError(
      `Layer ${cache.index} (${cache.kind}) has no recurrence, so its channels have no half-lives: choose a layer with a scan.`,
    );
  const energies = [...cache.scans.keys()].map((scan) => outputEnergies(cache, operator, scan));
  const total = energies.reduce((sum, each) => each.reduce((a, b) => a + b, sum), 0);
  return [...cache.scans].map(([scan, inputs], k) => {
    const units = inputs.family === 'mamba1' ? inputs.E : inputs.H;
    const of = mapStatistics(inputs);
    const column = (q: number) => Float32Array.from({ length: units }, (_, e) => of[e * STATISTICS_PER_CHANNEL + q]);
    const [entropy, sink, locality, distance, max] = [0, 1, 2, 3, 4].map(column);
    const share = perUnit(energies[k], units).map((energy) => (total === 0 ? 0 : energy / total));
    if (![max, share].every((values) => values.every(Number.isFinite)))
      throw new InputError(
        `Layer ${cache.index} has channels that are not finite: look for NaN in its weights with "run --names all".`,
      );
    return {
      scan,
      unit: inputs.family === 'mamba1' ? 'channel' : 'head',
      values: { half_life: halfLives(inputs, units), entropy, sink, locality, distance, max, output_share: share },
    };
  });
}

/** [units, 5] */
const mapStatistics = (inputs: S6Inputs): Float32Array =>
  tidied(() => {
    const { of, fold } = alone(inputs);
    return valuesOf(blockStatistics(of, fold, NEAREST));
  });

function halfLives({ L, delta, A }: S6Inputs, units: number): Float32Array {
  const N = A.length / units;
  return Float32Array.from({ length: units }, (_, u) => {
    let sum = 0;
    for (let i = 0; i < L; i++) sum += delta[i * units + u];
    const slowest = A.subarray(u * N, (u + 1) * N).reduce(
      (least, rate) => Math.min(least, -rate),
      Number.POSITIVE_INFINITY,
    );
    return Math.LN2 / ((sum / L) * slowest);
  });
}

/** ‖v_e‖² ‖W_e‖² of each channel, scale and λ included [E]. */
function outputEnergies(cache: BlockCache, operator: Operator, scan: ScanBranch): Float32Array {
  const weight = partOf(operator, scan);
  return tidied(() => {
    const { forward } = innerOf(cache, operator, scan, foldedTerm(cache, operator, scan));
    const columns = tf.tensor2d(weight, [operator.d, forward.shape[1]]);
    return valuesOf(tf.sum(tf.square(forward), 0).mul(tf.sum(tf.square(columns), 0)));
  });
}

function perUnit(values: Float32Array, units: number): Float32Array {
  const width = values.length / units;
  return Float32Array.from({ length: units }, (_, u) =>
    values.subarray(u * width, (u + 1) * width).reduce((sum, value) => sum + value, 0),
  );
}
