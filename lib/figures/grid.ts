import { type ColourTable, colourTable, hexColour, inkOn, PALETTES, type RampKind } from './palette';
import { COLUMN, drawing, element, FAINT_INK, INK, shifted, widthOf, words } from './svg';

export interface GridCell {
  /** On the ramp: 0 … 1, of a diverging one 0.5 is its middle; null for what is not known. */
  readonly colour: number | null;
  readonly text: string;
  /** Set in heavy letters and framed. */
  readonly strong?: boolean;
}

export interface GridPanel {
  readonly title: string;
  /** Row by row. */
  readonly cells: readonly (readonly GridCell[])[];
}

export interface GridFigure {
  /** For whoever cannot see it. */
  readonly title: string;
  readonly panels: readonly GridPanel[];
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly columnLabel: string;
  readonly ramp: RampKind;
  /** What the colours mean, below the panels. */
  readonly note: string;
  readonly width?: number;
}

const [RIGHT, CELL, TITLE, AXIS] = [6, 20, 18, 16];

/** Tables of coloured cells with their numbers, one above the other, as an SVG file. */
export function gridFigure(figure: GridFigure): string {
  const { panels, rows, columns, columnLabel, note, width = COLUMN } = figure;
  const palette = PALETTES.light;
  const table: ColourTable = colourTable(palette, figure.ramp);
  const left = 14 + Math.max(...rows.map((row) => widthOf(row)));
  const wide = (width - left - RIGHT) / columns.length;
  const panelHeight = TITLE + AXIS + rows.length * CELL + 6;
  const notes = note === '' ? [] : wrapped(note, width - left - RIGHT);
  const under = [columnLabel, ...notes].filter((line) => line !== '');
  const height = panels.length * panelHeight + 13 * under.length + 4;
  const drawn = panels.map(({ title, cells }, p) => {
    const heads = columns.map((column, c) =>
      words((c + 0.5) * wide, TITLE + AXIS - 5, column, { 'text-anchor': 'middle', fill: FAINT_INK }),
    );
    const body = cells.flatMap((row, r) =>
      row.map(({ colour, text, strong }, c) =>
        shifted(
          c * wide,
          TITLE + AXIS + r * CELL,
          element('rect', {
            width: wide - 1,
            height: CELL - 1,
            fill: colour === null ? palette.sunken : hexColour(table, colour),
            stroke: strong ? INK : undefined,
            'stroke-width': strong ? 1.2 : undefined,
          }),
          words(wide / 2 - 0.5, CELL / 2 + 2.8, text, {
            'text-anchor': 'middle',
            fill: colour === null ? FAINT_INK : inkOn(palette, table, colour),
            'font-weight': strong ? 650 : undefined,
          }),
        ),
      ),
    );
    const names = rows.map((row, r) =>
      words(-6, TITLE + AXIS + (r + 0.5) * CELL + 2.8, row, { 'text-anchor': 'end', fill: FAINT_INK }),
    );
    return shifted(left, p * panelHeight, words(0, 13, title, { 'font-weight': 600 }), ...heads, ...names, ...body);
  });
  const foot = under.map((text, k) => words(left, panels.length * panelHeight + 8 + 13 * k, text, { fill: FAINT_INK }));
  return drawing(width, height, figure.title, ...drawn, ...foot);
}

/** Words in lines of a width. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length > 0 ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length > 0 && widthOf(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
