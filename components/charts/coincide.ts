import type { Maybe } from '@/lib/figures/numbers';
import { segments } from './curve';

/** Nearer than this, in pixels, one of two lines hides the other. */
const NEAR = 3;

export interface Point {
  readonly layer: number;
  readonly value: number;
}

/** Layers, by place in the list, at which two lines lie on each other. */
export const coincidences = (a: readonly Maybe[], b: readonly Maybe[], y: (value: number) => number): boolean[] =>
  b.map((value, k) => {
    const other = a[k];
    return typeof value === 'number' && typeof other === 'number' && Math.abs(y(value) - y(other)) < NEAR;
  });

/**
 * The second of two lines in pieces: `apart` where the first is seen beside it, `together` where both ends of a step lie
 * on the first, which would be hidden.
 */
export function linePieces(
  values: readonly Maybe[],
  on: readonly boolean[],
): { readonly apart: Point[][]; readonly together: Point[][] } {
  const pieces = { apart: [] as Point[][], together: [] as Point[][] };
  for (const run of segments(values)) {
    let last: keyof typeof pieces | undefined;
    for (const [k, point] of run.entries()) {
      const next = run[k + 1];
      if (!next) {
        if (k === 0) pieces.apart.push([point]);
        break;
      }
      const kind = on[point.layer + 1] && on[next.layer + 1] ? 'together' : 'apart';
      if (kind === last) pieces[kind][pieces[kind].length - 1].push(next);
      else pieces[kind].push([point, next]);
      last = kind;
    }
  }
  return pieces;
}
