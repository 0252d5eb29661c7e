import type { Model } from '@/lib/models';
import type { AttributionMetric } from '@/lib/vocabulary';
import { type BlockGradients, blockGradients, measuredAt, normedInput } from './attributionGradients';
import type { Baseline } from './continuation';
import type { Question } from './question';

/** A run that gradients are taken along. */
export type Way = Pick<Baseline, 'streams' | 'L'>;

export type Measure = Question & { readonly metric: AttributionMetric };

/** What adding δ [L,d] to the residual stream behind a block does to the measure, token by token. */
export interface Added {
  of(delta: Float32Array): Float64Array;
  /** ∂m of the stream, [L,d]. */
  readonly gradient: Float32Array;
}

/**
 * Behind the last block only the token that is read counts, and the measure is known.
 * @param clean logits [V] of the clean run
 */
export function addedLast(model: Model, own: Way, along: Way, question: Measure, clean: Float32Array): Added {
  const { d } = model.config;
  const { L } = own;
  const last = lastRow(own, d);
  const gradient = new Float32Array(L * d);
  gradient.set(measuredAt(model, lastRow(along, d), question, clean).gradient, (L - 1) * d);
  return {
    gradient,
    of: (delta) => {
      const changes = new Float64Array(L);
      const at = (L - 1) * d;
      const measured = (row: Float32Array) => measuredAt(model, row, question, clean).value;
      changes[L - 1] = measured(last.map((value, c) => value + delta[at + c])) - measured(last);
      return changes;
    },
  };
}

/** The point behind a block's own norm, whose gradient {@link addedBefore} reads. */
export const normPoint = (layer: number): string => `blocks.${layer}.hook_normalized_input`;

/** The same for what enters a block: exactly through its norm, and only behind that to first order. @param own stream [L,d] */
export function addedBefore(
  model: Model,
  layer: number,
  own: Float32Array,
  { stream, gradients }: BlockGradients,
  behind: Added,
): Added {
  const { d } = model.config;
  const inside = gradients.get(normPoint(layer)) as Float32Array;
  return {
    gradient: stream,
    of: (delta) => {
      const read = normedInput(model, layer, own);
      const changed = normedInput(
        model,
        layer,
        own.map((value, c) => value + delta[c]),
      );
      const through = weighed(
        changed.map((value, c) => value - read[c]),
        inside,
        d,
      );
      return weighed(delta, behind.gradient, d).map((value, t) => value + through[t]);
    },
  };
}

/** A block on the way back: what is behind it, and what was asked of it. */
export interface BlockBehind extends BlockGradients {
  readonly layer: number;
  readonly behind: Added;
}

/**
 * Follows the measure of the unchanged run back through the blocks from the last to `first`, yielding after each.
 * Cost: an unembedding, and each of these blocks forward and backward. Memory: the activations of one block.
 */
export function* blocksBehind(
  model: Model,
  own: Baseline,
  question: Measure,
  first: number,
  asked: (layer: number) => { readonly points?: readonly string[]; readonly watched?: readonly string[] },
): Generator<BlockBehind, void, void> {
  let behind = addedLast(model, own, own, question, own.logits);
  for (let layer = model.config.blocks.length - 1; layer >= first; layer--) {
    const { points = [], watched } = asked(layer);
    const found = blockGradients(model, layer, own.streams[layer], behind.gradient, {
      points: [normPoint(layer), ...points],
      watched,
    });
    yield { ...found, layer, behind };
    behind = addedBefore(model, layer, own.streams[layer], found, behind);
  }
}

/** What a block adds to the stream, [L,d]. */
export const written = ({ streams }: Way, layer: number): Float32Array =>
  streams[layer + 1].map((value, k) => value - streams[layer][k]);

export const lastRow = ({ streams, L }: Way, d: number): Float32Array =>
  streams[streams.length - 1].slice((L - 1) * d, L * d);

/** Σ_c δ[t,c] g[t,c] of every token, over these channels, default all. */
export function weighed(
  delta: Float32Array,
  gradient: Float32Array,
  width: number,
  channels?: readonly number[],
): Float64Array {
  const chosen = channels ?? Array.from({ length: width }, (_, c) => c);
  return Float64Array.from({ length: delta.length / width }, (_, t) => {
    let sum = 0;
    for (const c of chosen) sum += delta[t * width + c] * gradient[t * width + c];
    return sum;
  });
}

/** A set's values together: to first order its tokens' changes add up. */
export const sumOver = (values: Float64Array, set: readonly (readonly [number, number])[]): number =>
  set.reduce((all, [start, end]) => values.subarray(start, end).reduce((sum, value) => sum + value, all), 0);
