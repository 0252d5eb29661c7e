import { scaleLinear } from 'd3';
import type { Maybe } from '@/lib/figures/numbers';
import { type CurveScale, curveScale } from '@/lib/figures/scale';

/** One model's measure against λ. */
export interface Dose {
  readonly slot: 'A' | 'B';
  /** Multiples of the layers' own λ, ascending, with what is measured. */
  readonly points: readonly { readonly lambda: number; readonly value: Maybe }[];
}

export interface DoseChart {
  readonly x: (lambda: number) => number;
  readonly y: CurveScale;
  readonly lines: readonly {
    readonly slot: Dose['slot'];
    readonly at: readonly { x: number; y: number; lambda: number; value: number }[];
  }[];
  readonly ticks: readonly { readonly x: number; readonly text: string }[];
}

/** A line a model over multiples of λ; values that are not there leave no point. @param range [left, right, top, bottom] in pixels */
export function doseChart(
  doses: readonly Dose[],
  [left, right, top, bottom]: readonly [number, number, number, number],
): DoseChart {
  const all = doses.flatMap(({ points }) => points);
  const most = Math.max(1, ...all.map(({ lambda }) => lambda));
  const x = scaleLinear([0, most], [left, right]);
  const y = curveScale(
    all.map(({ value }) => value),
    false,
    bottom,
    top,
  );
  return {
    x,
    y,
    lines: doses.map(({ slot, points }) => ({
      slot,
      at: points.flatMap(({ lambda, value }) =>
        typeof value === 'number' && Number.isFinite(value) ? [{ x: x(lambda), y: y.y(value), lambda, value }] : [],
      ),
    })),
    ticks: x.ticks(5).map((tick) => ({ x: x(tick), text: `${tick}×` })),
  };
}
