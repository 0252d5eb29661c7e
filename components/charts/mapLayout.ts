/** Sizes and places of the large maps, in CSS pixels. */
export interface MapLayout {
  readonly narrow: boolean;
  /** Side of one cell; a whole number of device pixels where that costs little. */
  readonly cell: number;
  /** Room for row labels left of a map. */
  readonly gutter: number;
  /** 1: labels in one lane; 2: staggered lanes with leaders. */
  readonly lanes: 1 | 2;
  readonly profileHeight: number;
  readonly profileGap: number;
  readonly columnLabelHeight: number;
  /** Room for the means over columns (above) and rows (right of a map); 0 where they are not shown. */
  readonly marginal: number;
  readonly maps: readonly { readonly left: number; readonly top: number; readonly size: number }[];
  readonly height: number;
}

/** Rounds a cell to whole device pixels when that costs at most 7 % of its size. */
export function snapCell(cell: number, devicePixelRatio: number): number {
  const snapped = Math.floor(cell * devicePixelRatio) / devicePixelRatio;
  return cell >= 2 && snapped / cell > 0.93 ? snapped : cell;
}

const GAP = 20;
const MARGINAL = 26;
const WIDE_GUTTER = { 1: 80, 2: 128 } as const;
const OWN_LABELS_GAP = 12;

export interface MapLayoutInput {
  readonly width: number;
  /** Tokens per map. */
  readonly lengths: readonly number[];
  readonly narrow: boolean;
  readonly devicePixelRatio: number;
  /** Whether every map needs row labels of its own (different tokenizers). */
  readonly ownLabels: boolean;
  /** Room above each map for its own header; side by side, the tallest of a row counts. */
  readonly headHeights: readonly number[];
  /** Maps beside each other; 1 when narrow. Default: all. */
  readonly columns?: number;
  readonly marginals?: boolean;
  /** Largest side of a map; default 640, 520 when narrow. */
  readonly most?: number;
}

/**
 * Maps side by side, or under each other when narrow. All maps get the same size on screen, so that the same
 * relative place stands at the same height; the cell is that of the longest sequence.
 */
export function mapLayout(input: MapLayoutInput): MapLayout {
  const { width, lengths, narrow, devicePixelRatio, ownLabels, headHeights } = input;
  const columns = narrow ? 1 : (input.columns ?? lengths.length);
  const marginal = input.marginals ? MARGINAL : 0;
  const longest = Math.max(1, ...lengths);
  const sizeFor = (gutter: number) => {
    const gutters = ownLabels && !narrow ? gutter * columns + OWN_LABELS_GAP * (columns - 1) : gutter;
    const gaps = (ownLabels ? 0 : GAP * (columns - 1)) + marginal * columns;
    return Math.max(40, (width - gutters - gaps - 10) / columns);
  };
  const most = input.most ?? (narrow ? 520 : 640);
  let gutter: number = narrow ? 62 : WIDE_GUTTER[1];
  let lanes: 1 | 2 = 1;
  let cell = Math.min(most, sizeFor(gutter)) / longest;
  if (!narrow && cell < 11) {
    const staggered = snapCell(Math.min(most, sizeFor(WIDE_GUTTER[2])) / longest, devicePixelRatio);
    if (staggered >= 5) {
      lanes = 2;
      gutter = WIDE_GUTTER[2];
      cell = staggered;
    }
  }
  cell = snapCell(cell, devicePixelRatio);
  const size = cell * longest;
  const profileHeight = narrow ? 40 : 52;
  const profileGap = 6;
  const columnLabelHeight = lanes === 2 ? 108 : 70;
  const one = profileHeight + marginal + profileGap + size + columnLabelHeight;
  const spare = Math.max(0, Math.floor((width - 10 - gutter - (size + marginal) * columns) / columns));
  const step = size + marginal + (ownLabels ? gutter + OWN_LABELS_GAP : Math.max(GAP, spare));
  let bottom = 0;
  let top = 0;
  const maps = lengths.map((_, index) => {
    const column = index % columns;
    if (column === 0) {
      top = bottom + Math.max(0, ...headHeights.slice(index, index + columns));
      bottom = top + one;
    }
    return { left: gutter + column * step, top, size };
  });
  return {
    narrow,
    cell,
    gutter,
    lanes,
    profileHeight,
    profileGap,
    columnLabelHeight,
    marginal,
    maps,
    height: bottom,
  };
}

/** Distance from a map's top to its cells. */
export const cellsTop = (layout: Pick<MapLayout, 'profileHeight' | 'profileGap' | 'marginal'>): number =>
  layout.profileHeight + layout.marginal + layout.profileGap;
