import { scaleLinear, scaleLog } from 'd3';
import type { TokenTrack } from '@/lib/vocabulary';

export interface TrackInfo {
  readonly name: TokenTrack;
  readonly label: string;
  readonly unit?: string;
  readonly log: boolean;
}

/** What is drawn, in this order; decay says the same as half-life and stays in the table. */
export const TRACKS: readonly TrackInfo[] = [
  { name: 'delta', label: 'Δ', log: false },
  { name: 'half_life', label: 'half-life', unit: 'tokens', log: true },
  { name: 'gate', label: 'gate', log: false },
  { name: 'state_norm', label: '‖h‖', log: false },
];

type Values = ArrayLike<number>;

export interface TrackScale {
  readonly y: (value: number) => number;
  readonly low: number;
  readonly high: number;
}

/** One scale for a row of tracks, on [bottom, top] in pixels: from 0 (or below), or logarithmic over the data. */
export function trackScale(tracks: readonly Values[], log: boolean, bottom: number, top: number): TrackScale {
  let [low, high] = [log ? Number.POSITIVE_INFINITY : 0, log ? Number.NEGATIVE_INFINITY : 0];
  for (const track of tracks)
    for (let t = 0; t < track.length; t++) {
      const value = track[t];
      if (!Number.isFinite(value) || (log && value <= 0)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  if (!(low < high))
    [low, high] = log
      ? [low > 0 && low < Number.POSITIVE_INFINITY ? low / 2 : 0.5, high > 0 ? high * 2 : 2]
      : [low, low + 1];
  const scale = (log ? scaleLog() : scaleLinear()).domain([low, high]).range([bottom, top]).clamp(true);
  return { y: (value) => scale(value), low, high };
}

/** Steps of equal width, one a token; tokens without a value break them. */
export function stepPath(values: Values, x: (token: number) => number, y: (value: number) => number): string {
  let path = '';
  let open = false;
  for (let t = 0; t < values.length; t++) {
    if (!Number.isFinite(values[t])) {
      open = false;
      continue;
    }
    const height = y(values[t]).toFixed(1);
    path += open ? `V${height}H${x(t + 1).toFixed(1)}` : `M${x(t).toFixed(1)},${height}H${x(t + 1).toFixed(1)}`;
    open = true;
  }
  return path;
}
