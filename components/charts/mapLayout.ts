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
  readonly maps: readonly { readonly left: number; readonly top: number; readonly size: number }[];
  readonly height: number;
}

/** Rounds a cell to whole device pixels when that costs at most 7 % of its size. */
export function snapCell(cell: number, devicePixelRatio: number): number {
  const snapped = Math.floor(cell * devicePixelRatio) / devicePixelRatio;
  return cell >= 2 && snapped / cell > 0.93 ? snapped : cell;
}

const GAP = 20;
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
  /** Room above each map for its own header (narrow layout only). */
  readonly headHeights: readonly number[];
}

/**
 * Maps side by side, or under each other when narrow. All maps get the same size on screen, so that the same
 * relative place stands at the same height; the cell is that of the longest sequence.
 */
export function mapLayout(input: MapLayoutInput): MapLayout {
  const { width, lengths, narrow, devicePixelRatio, ownLabels, headHeights } = input;
  const columns = narrow ? 1 : lengths.length;
  const longest = Math.max(1, ...lengths);
  const sizeFor = (gutter: number) => {
    const gutters = ownLabels && !narrow ? gutter * columns + OWN_LABELS_GAP * (columns - 1) : gutter;
    const gaps = ownLabels ? 0 : GAP * (columns - 1);
    return Math.max(40, (width - gutters - gaps - 10) / columns);
  };
  const most = narrow ? 520 : 640;
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
  const one = profileHeight + profileGap + size + columnLabelHeight;
  let left = gutter;
  let top = 0;
  const maps = lengths.map((_, index) => {
    if (narrow) {
      top += headHeights[index] ?? 0;
      const place = { left: gutter, top, size };
      top += one;
      return place;
    }
    const place = { left, top: 0, size };
    const spare = Math.max(0, Math.floor((width - 10 - gutter - size * columns) / columns));
    left += size + (ownLabels ? gutter + OWN_LABELS_GAP : Math.max(GAP, spare));
    return place;
  });
  return {
    narrow,
    cell,
    gutter,
    lanes,
    profileHeight,
    profileGap,
    columnLabelHeight,
    maps,
    height: narrow ? top : one,
  };
}

/** How the labels of one axis are written at a given cell size. */
export function labelStyle(cell: number, lanes: 1 | 2, narrow: boolean) {
  const fontSize = lanes === 2 && cell >= 8 ? 10 : cell >= 11 ? 10.5 : 9.5;
  return {
    fontSize,
    least: lanes === 2 ? cell : 10,
    rowLimit: narrow ? 8 : lanes === 2 ? 9 : 10,
    columnLimit: narrow ? 7 : lanes === 2 ? 7 : 9,
  };
}

/** The cell under a point of the map's own coordinates, or undefined outside the causal part. */
export function cellAt(
  x: number,
  y: number,
  cell: number,
  L: number,
): { destination: number; source: number } | undefined {
  const source = Math.floor(x / cell);
  const destination = Math.floor(y / cell);
  return source >= 0 && source <= destination && destination < L ? { destination, source } : undefined;
}
