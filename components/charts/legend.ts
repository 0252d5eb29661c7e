import { formatValue } from '@/lib/figures/numbers';
import { legendTicks, type ValueScale } from './values';

/** Width of a legend's ramp in pixels, and the room at both of its ends for ticks and arrows. */
export const RAMP_WIDTH = 220;
export const RAMP_MARGIN = 28;
export const RAMP_HEIGHT = 10;

export interface LegendMarks {
  readonly ticks: readonly { readonly x: number; readonly text: string }[];
  /** Paths of the arrows that say "values go further", at the ends where they do. */
  readonly arrows: readonly string[];
}

/** Where a value stands on the ramp, in pixels from the legend's left. */
export const rampX = (scale: ValueScale, value: number): number => RAMP_MARGIN + scale.position(value) * RAMP_WIDTH;

/** Ticks and arrows of a legend. `over`: some values exceed the scale's limit. */
export function legendMarks(scale: ValueScale, over: boolean): LegendMarks {
  const ticks = legendTicks(scale).map((value) => ({ x: rampX(scale, value), text: formatValue(value, scale.signed) }));
  const right = `M${RAMP_MARGIN + RAMP_WIDTH + 2},1l6,4l-6,4z`;
  const left = `M${RAMP_MARGIN - 2},1l-6,4l6,4z`;
  return { ticks, arrows: over ? (scale.signed ? [right, left] : [right]) : [] };
}

/** A caret at a value: above the ramp for model A, below it for B. */
export function caretPath(scale: ValueScale, value: number, slot: 'A' | 'B'): string {
  const x = rampX(scale, value);
  return slot === 'A' ? `M${x},-1l-4,-5h8z` : `M${x},${RAMP_HEIGHT + 1}l-4,5h8z`;
}
