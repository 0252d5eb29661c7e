/** Marks along and over the cells of a map, from the cells' top left corner, in CSS pixels. */

/** The part of [from, to) that lies in a frame of `size` pixels, or undefined. */
const inside = (from: number, to: number, size: number): [number, number] | undefined =>
  to > 0 && from < size ? [Math.max(0, from), Math.min(size, to)] : undefined;

/** A bracket along [from, to) of an axis, left of the cells or (moved down by their height) below them. */
export function bracketPath(from: number, to: number, size: number, axis: 'row' | 'column'): string | undefined {
  const span = inside(from, to, size);
  if (!span) return undefined;
  const [start, end] = span;
  return axis === 'row' ? `M-3,${start + 0.5}h-3V${end - 0.5}h3` : `M${start + 0.5},3v3H${end - 0.5}v-3`;
}

/** A triangle right of the read-out's row, whose centre is at `y`. */
export const readoutPath = (y: number, size: number): string | undefined =>
  y > 0 && y < size ? `M${size + 2},${y}l6,-4v8z` : undefined;

/** Distance of the marginal bars from the cells: to the right of them, and between the upper bars and what is above. */
export const MARGINAL_GAPS = { right: 10, bars: 3 } as const;

/** A token written in full on a box beside its row or under its column. */
export interface Flag {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Left end and baseline of the text. */
  readonly textX: number;
  readonly textY: number;
}

/** Where a flag of `characters` letters stands; undefined where its token, centred `at`, is not shown. */
export function flagBox(characters: number, at: number, size: number, side: 'row' | 'column'): Flag | undefined {
  if (at < 0 || at > size) return undefined;
  const width = characters * 6.4 + 8;
  const x = side === 'row' ? -8 - width : Math.min(Math.max(0, at - width / 2), size - width);
  const y = side === 'row' ? at - 8 : size + 8;
  return { x, y, width, height: 16, textX: x + 4, textY: y + 11.5 };
}
