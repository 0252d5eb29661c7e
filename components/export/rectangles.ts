/** Side of the largest map whose cells become rectangles: more of them make files that drawing programs cannot open. */
export const CELLS_AS_RECTANGLES = 128;

/** A run of cells of one colour in one row, in cells. */
export interface CellRun {
  readonly x: number;
  readonly y: number;
  readonly length: number;
  readonly fill: string;
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0');

/** The cells of a picture, row by row, neighbours of one colour joined. @param pixels RGBA, one pixel a cell */
export function* rectanglesOf(pixels: ArrayLike<number>, width: number, height: number): Generator<CellRun> {
  const fillAt = (at: number) => `#${hex(pixels[at])}${hex(pixels[at + 1])}${hex(pixels[at + 2])}`;
  for (let y = 0; y < height; y++)
    for (let x = 0, next = 0; x < width; x = next) {
      const fill = fillAt(4 * (y * width + x));
      for (next = x + 1; next < width && fillAt(4 * (y * width + next)) === fill; ) next++;
      yield { x, y, length: next - x, fill };
    }
}
