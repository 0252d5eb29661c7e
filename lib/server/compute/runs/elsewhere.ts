import * as tf from '@tensorflow/tfjs';
import { entryLabels, type Lens, readsOfTerms, type SignalCurves, type UnreadLayer } from '@/lib/analysis';
import type { Model } from '@/lib/models';
import { LENS_STATISTICS, type LensStatistic } from '@/lib/vocabulary';
import type { Elsewhere, KeptPart, ModelRecord } from './record';

/** Reading what a run brings along that another program has computed. */

const eachStatistic = (of: (name: LensStatistic) => Float64Array): Record<LensStatistic, Float64Array> =>
  Object.fromEntries(LENS_STATISTICS.map((name) => [name, of(name)])) as Record<LensStatistic, Float64Array>;

/** The lens that it keeps, at every entry and at those positions that are asked for, else at all. */
export function lensElsewhere(
  { L, blocks }: ModelRecord,
  { topIds, topProbabilities, statistics }: Elsewhere['lens'],
  positions: readonly number[] = Array.from({ length: L }, (_, t) => t),
): Lens {
  const entries = entryLabels(blocks.length);
  const k = topIds.length / (entries.length * L);
  const rows = entries.flatMap((_, entry) => positions.map((position) => entry * L + position));
  const tops = rows.flatMap((row) => Array.from({ length: k }, (_, rank) => row * k + rank));
  return {
    entries,
    B: 1,
    positions,
    statistics: eachStatistic((name) => Float64Array.from(rows, (row) => statistics[name][row])),
    top: {
      k,
      ids: Int32Array.from(tops, (place) => topIds[place]),
      probabilities: Float64Array.from(tops, (place) => topProbabilities[place]),
    },
  };
}

/** The curves of a lens at one position. */
export function columnOf({ entries, positions, statistics }: Lens, position: number): SignalCurves {
  const column = (name: LensStatistic) =>
    Float64Array.from(entries, (_, entry) => statistics[name][entry * positions.length + position]);
  return { ...eachStatistic(column), entries };
}

/** What block `layer` reads at the token that the run keeps, by class of token. */
export function readsElsewhere(
  { config, blocks }: ModelRecord,
  { reads }: Elsewhere,
  layer: number,
  classes: Uint8Array,
): UnreadLayer {
  const { d } = config;
  const { first, second } = reads.blocks[layer];
  const output = blocks[layer].out.subarray(reads.position * d, (reads.position + 1) * d);
  const found: UnreadLayer[] = [];
  tf.tidy(() => {
    const tensors = ({ sources, free }: KeptPart) => ({ sources: tf.tensor2d(sources, [classes.length, d]), free });
    const { kind } = blocks[layer];
    const terms = { layer, kind, output, first: tensors(first), second: second && tensors(second) };
    found.push(readsOfTerms(terms, classes));
  });
  return found[0];
}

/** What the metric reads of the residual stream at a token [d]; undefined where the run does not keep it. */
export function directionElsewhere(
  { elsewhere }: ModelRecord,
  position: number,
  { target, foil }: { readonly target: number; readonly foil?: number },
): Float64Array | undefined {
  if (elsewhere?.reads.position !== position) return undefined;
  const { directions } = elsewhere.reads;
  const right = directions.get(target);
  const wrong = foil === undefined ? undefined : directions.get(foil);
  if (!right || (foil !== undefined && !wrong)) return undefined;
  return Float64Array.from(right, (value, c) => value - (wrong?.[c] ?? 0));
}

/** Tokens that are run to see whether a model is the one that computed a run. */
const COMPARED = 16;

/** Share of a residual stream by which two programs may differ over the same weights. */
const TOLERANCE = 1e-3;

/**
 * The first block after which a model's residual stream is another than that of a run from elsewhere, and by what share;
 * undefined where it is the same model. Cost: a forward pass over the first tokens.
 */
export function differenceTo(model: Model, { config, request, residuals }: ModelRecord) {
  const shape = (blocks: ModelRecord['config']['blocks']) =>
    JSON.stringify(
      blocks.map(({ kind, mixer }) => [
        kind,
        Object.entries(mixer)
          .filter(([, value]) => value !== undefined)
          .sort(),
      ]),
    );
  if (model.config.V !== config.V || shape(model.config.blocks) !== shape(config.blocks)) return { share: 1 };
  const ids = request.tokens.slice(0, COMPARED).map(({ id }) => id);
  const blocks = model.blocksOf([ids]);
  try {
    for (let step = blocks.next(); ; step = blocks.next()) {
      if (step.done) {
        step.value.dispose();
        return undefined;
      }
      const { index, residual } = step.value;
      const expected = residuals[index + 1];
      let [error, size] = [0, 0];
      for (const [k, value] of (residual.dataSync() as Float32Array).entries()) {
        error += (value - expected[k]) ** 2;
        size += expected[k] ** 2;
      }
      const share = Math.sqrt(error / size);
      // Also what is not a number is no agreement.
      if (!(share <= TOLERANCE)) return { layer: index, share };
    }
  } finally {
    blocks.return(undefined as never);
  }
}
