import type { TokenSpan } from './tokens';
import { sameWord } from './tokens';

/** What makes a token's label worth its place when there is no room for all. */
export interface LabelFocus {
  readonly position: number;
  readonly lock?: { readonly destination: number; readonly source: number };
  /** First and last token of the needle. */
  readonly needle?: readonly [number, number];
  readonly target: string;
}

/**
 * Importance of every token's label: read-out, lock, target, needle ends, repeats of the target's neighbours in
 * the needle, rest of the needle, sentence starts, rest.
 */
export function labelPriorities(tokens: readonly TokenSpan[], focus: LabelFocus): Float32Array {
  const { position, lock, needle, target } = focus;
  const needleWords = new Set(
    needle
      ? tokens
          .slice(needle[0], needle[1] + 1)
          .map((t) => t.text.trim())
          .filter((w) => /\p{Lu}/u.test(w))
      : [],
  );
  return Float32Array.from(tokens, (token, k) => {
    if (k === position) return 9;
    if (lock && (k === lock.destination || k === lock.source)) return 8;
    if (sameWord(token.text, target)) return 7;
    if (needle && (k === needle[0] || k === needle[1])) return 6;
    if (needleWords.has(token.text.trim())) return 5;
    if (needle && k > needle[0] && k < needle[1]) return 4;
    if (/[?]/.test(token.text)) return 3;
    if (k === 0 || /[.!?⏎\n]\s*$/.test(tokens[k - 1].text)) return 2;
    return 1;
  });
}

/** Indices to label, most important first, none closer than `least` pixels to a more important one; ascending. */
export function thinLabels(priorities: ArrayLike<number>, pitch: number, least: number): number[] {
  const count = priorities.length;
  if (pitch >= least) return Array.from({ length: count }, (_, k) => k);
  const reach = Math.ceil(least / pitch) - 1;
  const blocked = new Uint8Array(count);
  const chosen: number[] = [];
  // Few levels of importance, many tokens: one pass a level costs less than sorting.
  const levels = [...new Set(Array.from(priorities))].sort((a, b) => b - a);
  for (const level of levels)
    for (let k = 0; k < count; k++) {
      if (blocked[k] || priorities[k] !== level) continue;
      blocked.fill(1, Math.max(0, k - reach), k + reach + 1);
      chosen.push(k);
    }
  return chosen.sort((a, b) => a - b);
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const overlaps = (a: Box, b: Box) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Extent of a polyline's height over the horizontal range [left, right], or undefined outside it. */
function heightsOver(line: readonly Point[], left: number, right: number): [number, number] | undefined {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let k = 1; k < line.length; k++) {
    const [a, b] = [line[k - 1], line[k]];
    if (b.x < left || a.x > right || b.x === a.x) continue;
    for (const x of [Math.max(left, a.x), Math.min(right, b.x)]) {
      const y = a.y + ((b.y - a.y) * (x - a.x)) / (b.x - a.x);
      low = Math.min(low, y);
      high = Math.max(high, y);
    }
  }
  return low <= high ? [low, high] : undefined;
}

/** Room between two names in one row, in pixels. */
const NAME_GAP = 16;

/**
 * Where to write each line's name on the plot: near its own line, over no line and no other name. Returns the
 * left end and baseline per line, or undefined where no free place exists.
 */
export function placeLineLabels(
  lines: readonly (readonly Point[])[],
  widths: readonly number[],
  plot: Box,
  fontSize = 11,
): (Point | undefined)[] {
  const placed: Box[] = [];
  return lines.map((line, own) => {
    let best: { cost: number; box: Box } | undefined;
    for (let left = plot.left; left + widths[own] <= plot.right; left += 8) {
      const right = left + widths[own];
      const reach = heightsOver(line, left, right);
      if (!reach) continue;
      for (const [top, above] of [
        [reach[0] - fontSize - 7, 1],
        [reach[1] + 6, 0],
      ] as const) {
        const box = { left, right, top, bottom: top + fontSize + 2 };
        const padded = { ...box, left: left - NAME_GAP, right: right + NAME_GAP };
        if (box.top < plot.top || box.bottom > plot.bottom || placed.some((other) => overlaps(padded, other))) continue;
        let clearance = Number.POSITIVE_INFINITY;
        for (let k = 0; k < lines.length; k++) {
          const other = k === own ? undefined : heightsOver(lines[k], left - 4, right + 4);
          if (!other) continue;
          const distance = other[1] < box.top ? box.top - other[1] : other[0] > box.bottom ? other[0] - box.bottom : -1;
          clearance = Math.min(clearance, distance);
        }
        if (clearance < 5) continue;
        const slope = reach[1] - reach[0];
        const ambiguous = Number.isFinite(clearance) ? 60 / (1 + clearance) : 0;
        const cost = slope + ambiguous + (left - plot.left) / 200 + (above ? 0 : 1);
        if (!best || cost < best.cost) best = { cost, box };
      }
    }
    if (!best) return undefined;
    placed.push(best.box);
    return { x: best.box.left, y: best.box.bottom - 3 };
  });
}
