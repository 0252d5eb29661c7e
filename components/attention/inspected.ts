import { topSources } from '../charts/pair';
import { sameWord } from '../charts/tokens';
import type { DrawnMap } from '../data/drawnMaps';
import { ownToken, type View } from '../data/view';
import type { Hover } from '../state/hover';
import type { Cell } from '../state/selection';

export interface Inspected extends Cell {
  /** Why this pair is shown. */
  readonly reason: 'pointer' | 'locked' | 'needle' | 'strongest';
}

/**
 * The pair that the inspector speaks of, in tokens of model A: what is under the pointer, else the lock, else the
 * read-out position and the answer in the needle (else its end, else what is read most).
 */
export function inspectedPair(
  view: View,
  hover: Hover,
  lock: Cell | null,
  maps: readonly (DrawnMap | undefined)[],
): Inspected {
  const last = view.tokens.length - 1;
  const strongestOf = (destination: number): number => {
    const map = maps[0];
    const own = map && ownToken(map.source.model, destination);
    return map && own !== undefined ? (topSources(map.raw, map.L, own, 1)[0] ?? destination) : destination;
  };
  const { destination, source, origin } = hover;
  if (destination !== undefined && destination <= last) {
    if (origin === 'chip')
      return { destination: Math.max(view.position, destination), source: destination, reason: 'pointer' };
    if (source !== undefined && source <= destination) return { destination, source, reason: 'pointer' };
    return { destination, source: strongestOf(destination), reason: 'strongest' };
  }
  if (lock && lock.destination <= last) return { ...lock, reason: 'locked' };
  const needle = view.models[0].needle;
  if (needle && needle[1] <= view.position) {
    const answer = view.tokens.findIndex(
      (token, k) => k >= needle[0] && k <= needle[1] && sameWord(token.text, view.target),
    );
    return { destination: view.position, source: answer < 0 ? needle[1] : answer, reason: 'needle' };
  }
  return { destination: view.position, source: strongestOf(view.position), reason: 'strongest' };
}
