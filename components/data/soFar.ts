import type { Lens } from '@/lib/api/bodies';
import type { Signal } from '@/lib/api/readings';
import type { Readout } from '@/lib/api/schemas';
import { LENS_STATISTICS } from '@/lib/vocabulary';
import type { LensRows } from '../state/selection';
import { rowRange } from './lensRows';
import { type ModelView, ownToken, type View } from './view';

/** What the layers that are finished say of the run's own target where it is read; nothing of another token or position. */
function readoutFor({ model, position }: ModelView, target: number | undefined): readonly Readout[] | undefined {
  const { readout, tokens } = model;
  const read = model.position < 0 ? tokens.length - 1 : model.position;
  return readout && readout.length > 0 && target === model.target.id && position === read ? readout : undefined;
}

/** The same object as long as nothing new was told, as whoever draws it may expect. */
function remembered<T>(make: (view: ModelView, readout: readonly Readout[], target: number) => T) {
  const known = new WeakMap<readonly Readout[], T>();
  return (view: ModelView, target: number | undefined): T | undefined => {
    const readout = readoutFor(view, target);
    if (!readout || target === undefined) return undefined;
    const found = known.get(readout) ?? make(view, readout, target);
    known.set(readout, found);
    return found;
  };
}

/** The signal of the layers that are finished, while a run computes. */
export const signalSoFar = remembered((view, readout, target): Signal => {
  const curve = (name: Exclude<keyof Readout, 'entry' | 'top_ids' | 'top_probs'>) => readout.map((one) => one[name]);
  return {
    lens: 'logit',
    entries: readout.map(({ entry }) => entry),
    position: view.position,
    target,
    needle: view.model.needle,
    target_prob: curve('target_prob'),
    target_logprob: curve('target_logprob'),
    target_log_odds: curve('target_log_odds'),
    margin: curve('margin'),
    margin_std: curve('margin_std'),
    snr_vocab: curve('snr_vocab'),
    snr_candidates: curve('snr_candidates'),
    needle_against_context: null,
  };
});

/** The read-out's row of the lens, of the layers that are finished. */
export const lensSoFar = remembered((view, readout, target): Lens => {
  const [L, k] = [view.tokens.length, readout[0].top_ids.length];
  const entries = readout.map(({ entry }) => entry);
  const topIds = new Int32Array(entries.length * L * k);
  const topProbs = new Float32Array(entries.length * L * k).fill(Number.NaN);
  readout.forEach((one, e) => {
    topIds.set(one.top_ids, (e * L + view.position) * k);
    topProbs.set(one.top_probs, (e * L + view.position) * k);
  });
  const statistics = Object.fromEntries(
    LENS_STATISTICS.map((name) => {
      const values = new Float32Array(entries.length * L).fill(Number.NaN);
      readout.forEach((one, e) => {
        // Distances to the final layer are not known before it is.
        if (name in one) values[e * L + view.position] = one[name as 'target_prob'] ?? Number.NaN;
      });
      return [name, values];
    }),
  );
  return { entries, L, k, topIds, topProbs, statistics, metadata: { lens: 'logit', entries, target } };
});

/** Positions of a model that the lens shows, in its own tokens, as the reading takes them. */
export function shownPositions(model: ModelView, rows: LensRows, view: View): number[] {
  const { needle, position } = view.models[0];
  const [from, to] = rowRange(rows !== 'needle' || needle ? rows : 'last', view.tokens.length, position, needle);
  const shown = Array.from({ length: to - from + 1 }, (_, k) => ownToken(model, from + k));
  const own = [...shown, model.position].filter((at): at is number => at !== undefined && at >= 0);
  return [...new Set(own)].sort((a, b) => a - b);
}
