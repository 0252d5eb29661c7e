import { thinLabels } from './labels';
import { cut } from './tokens';

/** Distance between two staggered lanes: to the left of a map, and below it. */
const ROW_LANE = 60;
const COLUMN_LANE = 48;
/** Distance of the nearest lane from the cells. */
export const LABEL_GAP = 9;
/** From the centre of a cell to the baseline of its label. */
export const LABEL_BASELINE = 3.2;

/** Below this pitch most tokens have no label, and those that have one get their position too. */
const NUMBERED = 4;

/** One axis of a map: its tokens [from, to), each `pitch` pixels. */
export interface LabelAxis {
  readonly side: 'row' | 'column';
  readonly from: number;
  readonly to: number;
  readonly pitch: number;
}

/** A token's label; the origin is the corner of the cells that the axis starts from. */
export interface AxisLabel {
  readonly token: number;
  /** Centre of the token's cell along the axis. */
  readonly at: number;
  /** Distance of the label's end from the cells. */
  readonly away: number;
  /** Whether a hairline leads from the cells to the label. */
  readonly leader: boolean;
  /** Whether a leader of another label may cross this one. */
  readonly crossed: boolean;
}

export interface AxisLabels {
  readonly labels: readonly AxisLabel[];
  readonly fontSize: number;
  /** Characters that a label has room for. */
  readonly limit: number;
  /** Whether labels begin with their position: where most tokens have none, words alone do not say which they are. */
  readonly numbered: boolean;
}

/** What a token's label says: its word as far as there is room, behind its position where that is not plain. */
export const labelText = (
  { limit, numbered }: Pick<AxisLabels, 'limit' | 'numbered'>,
  token: number,
  word: string,
): string => (numbered ? `${token} ${cut(word, limit - String(token).length - 1)}` : cut(word, limit));

/**
 * The labels of one axis by the rules of token labels: one lane from 11 px a cell, two staggered lanes from 5 px,
 * else (and on narrow screens) only the most important, at least 10 px apart.
 *
 * @param priorities importance of every token, from `labelPriorities`.
 * @param lanes lanes that the layout has room for.
 */
export function axisLabels(
  { side, from, to, pitch }: LabelAxis,
  priorities: Float32Array,
  lanes: 1 | 2,
  narrow: boolean,
): AxisLabels {
  const staggered = lanes === 2 && pitch >= 5 && pitch < 11;
  const fontSize = staggered && pitch >= 8 ? 10 : pitch >= 11 ? 10.5 : 9.5;
  const least = staggered ? pitch : 10;
  const numbered = pitch < NUMBERED;
  const room = side === 'row' ? (narrow ? 8 : staggered ? 9 : 10) : narrow || staggered ? 7 : 9;
  // At their size, numbered labels have all of the gutter.
  const limit = numbered ? (side === 'row' && !narrow ? 12 : 9) : room;
  const step = side === 'row' ? ROW_LANE : COLUMN_LANE;
  const labels = thinLabels(priorities.subarray(from, to), pitch, least).map((k): AxisLabel => {
    const token = k + from;
    const outer = staggered && token % 2 === 1;
    return {
      token,
      at: (k + 0.5) * pitch,
      away: LABEL_GAP + (outer ? step : 0),
      leader: outer,
      crossed: staggered && !outer,
    };
  });
  return { labels, fontSize, limit, numbered };
}
