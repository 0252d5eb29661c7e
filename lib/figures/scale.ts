import { scaleLinear, scaleLog } from 'd3';
import { decadeLabel, formatTick, type Maybe } from './numbers';

/** The lowest value that a logarithmic axis reaches. */
export const LOG_LIMIT = 1e-12;

export interface CurveTick {
  readonly y: number;
  readonly text: string;
  readonly exponent?: string;
  readonly zero: boolean;
}

export interface CurveScale {
  /** Vertical position; values below the floor stand on the floor. */
  readonly y: (value: number) => number;
  readonly below: (value: number) => boolean;
  readonly ticks: readonly CurveTick[];
}

const finite = (values: readonly Maybe[]) =>
  values.filter((v): v is number => typeof v === 'number' && Number.isFinite(v));

/** Where an axis without data ends. */
const EMPTY_FLOOR = 1e-6;

/** Decades down to the data, at most to 1e−12; the top is 1. Range: [bottom, top] in pixels. */
function logScale(values: readonly number[], bottom: number, top: number): CurveScale {
  const positive = values.filter((v) => v > 0);
  const least = positive.length ? Math.min(...positive) : EMPTY_FLOOR;
  const floorExponent = Math.max(Math.log10(LOG_LIMIT), Math.min(-1, Math.floor(Math.log10(least))));
  const floor = 10 ** Math.round(floorExponent);
  const scale = scaleLog([floor, 1], [bottom, top]);
  const decades = Math.round(-floorExponent);
  const step = decades > 6 ? 2 : 1;
  const ticks: CurveTick[] = [];
  for (let e = 0; e >= -decades; e -= step) ticks.unshift({ y: scale(10 ** e), ...decadeLabel(e), zero: false });
  return { y: (v) => scale(Math.max(floor, v)), below: (v) => v < floor, ticks };
}

/** Starts at 0, or shows it, with a strong zero line. Range: [bottom, top] in pixels. */
function linearScale(values: readonly number[], bottom: number, top: number, count = 5): CurveScale {
  const high = Math.max(0, ...values);
  const low = Math.min(0, ...values);
  const scale = scaleLinear([low, high > low ? high : low + 1], [bottom, top]).nice(count);
  const ticks = scale.ticks(count).map((t) => ({ y: scale(t), text: formatTick(t), zero: t === 0 }));
  return { y: (v) => scale(v), below: () => false, ticks };
}

/** @param count about how many ticks a linear axis has */
export function curveScale(
  values: readonly Maybe[],
  log: boolean,
  bottom: number,
  top: number,
  count?: number,
): CurveScale {
  return log ? logScale(finite(values), bottom, top) : linearScale(finite(values), bottom, top, count);
}

/** The extent of the values with some room, 0 not asked for: for quantities whose zero says nothing. Range: [bottom, top]. */
export function plainScale(values: readonly Maybe[], bottom: number, top: number, count = 5): CurveScale {
  const known = finite(values);
  const [low, high] = known.length > 0 ? [Math.min(...known), Math.max(...known)] : [0, 1];
  const scale = scaleLinear([low, high > low ? high : low + 1], [bottom, top]).nice(count);
  const ticks = scale.ticks(count).map((t) => ({ y: scale(t), text: formatTick(t), zero: t === 0 }));
  return { y: (v) => scale(v), below: () => false, ticks };
}
