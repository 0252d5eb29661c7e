import { type HalfMap, NOT_FINITE } from './half';

/** A rectangle of cells: rows [row0, row1) and columns [column0, column1). */
export interface Region {
  readonly row0: number;
  readonly row1: number;
  readonly column0: number;
  readonly column1: number;
}

export const sameRegion = (a: Region, b: Region): boolean =>
  a.row0 === b.row0 && a.row1 === b.row1 && a.column0 === b.column0 && a.column1 === b.column1;

/** The whole of a square map. */
export const wholeMap = (L: number): Region => ({ row0: 0, row1: L, column0: 0, column1: L });

/** What moves finite numbers above all others. */
const FINITE = 0x10000 - (NOT_FINITE << 1);

/**
 * Half-precision bits as a number of 16 bits that grows with the magnitude, so that the strongest cell is the largest
 * number: the sign goes last (of two opposite values the negative one is taken), and what is no finite number comes
 * before all that are.
 */
export const strength = (bits: number): number => (((bits << 1) | (bits >> 15)) + FINITE) & 0xffff;

/** The strength of a place without a value. */
export const NO_STRENGTH = 0;

interface Level {
  readonly size: number;
  /** size × size; only the causal part is meant. */
  readonly strengths: Uint16Array;
}

function finest({ L, bits }: Pick<HalfMap, 'L' | 'bits'>): Level {
  const strengths = new Uint16Array(L * L);
  for (let i = 0; i < L; i++) for (let at = i * L; at <= i * L + i; at++) strengths[at] = strength(bits[at]);
  return { size: L, strengths };
}

/** The larger of two numbers below 2³¹. Without a branch: which of two cells is stronger cannot be guessed. */
const larger = (a: number, b: number) => a - ((a - b) & ((a - b) >> 31));

/** Every 2 × 2 cells as their strongest. */
function halved({ size, strengths }: Level): Level {
  const next = Math.ceil(size / 2);
  const out = new Uint16Array(next * next);
  for (let y = 0; y < next; y++) {
    const upper = 2 * y * size;
    const lower = Math.min(2 * y + 1, size - 1) * size;
    for (let x = 0; x <= y; x++) {
      // On the diagonal the upper right cell is not causal; the map's last column may have no right neighbour.
      const left = 2 * x;
      const right = Math.min(left + 1, size - 1);
      const above = x < y ? larger(strengths[upper + left], strengths[upper + right]) : strengths[upper + left];
      out[y * next + x] = larger(above, larger(strengths[lower + left], strengths[lower + right]));
    }
  }
  return { size: next, strengths: out };
}

/** A map at full size, half, quarter, …, each level made when it is first asked for; keeps what was drawn last. */
export class Pyramid {
  readonly #levels: Level[] = [];
  #last: { readonly key: string; readonly strengths: Uint16Array } | undefined;

  constructor(readonly map: Pick<HalfMap, 'L' | 'bits'>) {}

  level(k: number): Level {
    const levels = this.#levels;
    if (levels.length === 0) levels.push(finest(this.map));
    while (levels.length <= k) levels.push(halved(levels[levels.length - 1]));
    return levels[k];
  }

  /**
   * The strongest cell of each of `width` × `height` pixels of a region; a change of colours does not ask again.
   * `coarse` reads a quarter of the cells where two or more along each side share a pixel; a pixel may then show a cell
   * of its neighbour.
   */
  sample(region: Region, width: number, height: number, coarse = false): Uint16Array {
    const key = [region.row0, region.row1, region.column0, region.column1, width, height, coarse].join();
    if (this.#last?.key !== key) this.#last = { key, strengths: sampled(this, region, width, height, coarse) };
    return this.#last.strengths;
  }
}

/** Rows of cells are joined to rows of pixels first, then their columns: every cell is read once, one after another. */
function sampled(pyramid: Pyramid, region: Region, width: number, height: number, coarse: boolean): Uint16Array {
  const { row0, row1, column0, column1 } = region;
  const perPixel = Math.min((column1 - column0) / width, (row1 - row0) / height);
  const k = Math.max(0, Math.floor(Math.log2(perPixel)) - (coarse ? 0 : 1));
  const { size, strengths } = pyramid.level(k);
  const [i0, i1] = parts(row0, row1, height, 2 ** k);
  const [j0, j1] = parts(column0, column1, width, 2 ** k);
  const start = j0[0];
  const end = j1[width - 1];
  const row = new Uint16Array(end - start);
  const out = new Uint16Array(width * height);
  for (let y = 0; y < height; y++) {
    const top = i0[y];
    const bottom = i1[y];
    row.fill(NO_STRENGTH);
    for (let i = top; i < bottom; i++) {
      const from = i * size + start;
      const count = Math.min(end, i + 1) - start;
      for (let j = 0; j < count; j++) row[j] = larger(row[j], strengths[from + j]);
    }
    for (let x = 0; x < width && j0[x] < bottom; x++) {
      let best = NO_STRENGTH;
      for (let j = j0[x] - start; j < j1[x] - start; j++) best = larger(best, row[j]);
      out[y * width + x] = best;
    }
  }
  return out;
}

/** For each of `pixels` equal parts of [from, to): its first cell and the cell after its last, at 1 / step of the size. */
function parts(from: number, to: number, pixels: number, step: number): [Int32Array, Int32Array] {
  const first = new Int32Array(pixels);
  const end = new Int32Array(pixels);
  for (let p = 0; p < pixels; p++) {
    const low = from + Math.floor((p * (to - from)) / pixels);
    const high = Math.max(low + 1, from + Math.floor(((p + 1) * (to - from)) / pixels));
    first[p] = Math.floor(low / step);
    end[p] = Math.ceil(high / step);
  }
  return [first, end];
}
