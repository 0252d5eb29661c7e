import type { Area, SavedView } from './savedView';

/**
 * The whole program of a saved page. It is written into the file as its own source text, so it may use nothing from
 * outside itself.
 */
export function hoverScript(): void {
  const view = JSON.parse(document.getElementById('saved')?.textContent ?? '') as SavedView;
  const readout = document.getElementById('readout') as HTMLElement;
  const { models, layers } = view;

  const number = (value: number | null | undefined, signed = false): string => {
    if (value === null || value === undefined || Number.isNaN(value)) return '–';
    const size = Math.abs(value);
    const text = size === 0 ? '0' : size < 0.001 || size >= 1e6 ? size.toExponential(2) : size.toPrecision(3);
    return `${value < 0 ? '−' : signed && value > 0 ? '+' : ''}${text.replace('e-', 'e−').replace('e+', 'e')}`;
  };
  const token = (model: number, k: number) => `${k} ${models[model].tokens[k] ?? ''}`;
  const layerName = (l: number) => (l < 0 ? 'embedding' : l >= layers ? 'output' : `layer ${l}`);

  const unpack = (text: string): DataView => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new DataView(bytes.buffer);
  };
  const parts = view.areas.map((area, k) => {
    const surface = document.querySelector<HTMLElement>(`[data-area="${k}"]`) as HTMLElement;
    const bar = (name: string) => {
      const made = document.createElement('i');
      made.className = name;
      surface.append(made);
      return made;
    };
    const values = area.kind === 'map' && area.values !== null ? unpack(area.values) : null;
    return { area, surface, values, row: bar('row'), column: bar('column') };
  });
  type Part = (typeof parts)[number];
  type MapArea = Extract<Area, { kind: 'map' }>;

  const place = (bar: HTMLElement, style: Record<string, string> | null) => {
    bar.style.display = style ? 'block' : 'none';
    Object.assign(bar.style, style ?? {});
  };
  const valueAt = ({ area, values }: Part, i: number, j: number): number | null => {
    const { rows, columns } = area as MapArea;
    if (!values || i < rows[0] || i >= rows[1] || j < columns[0] || j >= columns[1]) return null;
    return values.getFloat32(4 * ((i - rows[0]) * (columns[1] - columns[0]) + j - columns[0]), true);
  };
  const follows = (part: Part, model: number) =>
    part.area.kind === 'map' && (part.area.model === model || (models[part.area.model].linked && models[model].linked));

  const clear = () => {
    for (const { row, column } of parts) {
      place(row, null);
      place(column, null);
    }
  };
  const showPair = (model: number, i: number, j: number) => {
    clear();
    const lines: string[] = [];
    for (const part of parts) {
      if (!follows(part, model)) continue;
      const { rows, columns, name, signed } = part.area as MapArea;
      const [height, width] = [100 / (rows[1] - rows[0]), 100 / (columns[1] - columns[0])];
      place(part.row, { top: `${(i - rows[0]) * height}%`, height: `${height}%`, left: '0', width: '100%' });
      place(part.column, { left: `${(j - columns[0]) * width}%`, width: `${width}%`, top: '0', height: '100%' });
      lines.push(`${name} ${number(valueAt(part, i, j), signed)}`);
    }
    readout.textContent = `${token(model, j)} → ${token(model, i)}   ${lines.join('   ')}`;
  };
  const showLayer = (l: number, detail: string) => {
    clear();
    for (const { area, column } of parts)
      if (area.kind !== 'map') {
        const width = 100 / (layers + 2);
        place(column, { left: `${(l + 1) * width}%`, width: `${width}%`, top: '0', height: '100%' });
      }
    readout.textContent = `${layerName(l)}   ${detail}`;
  };
  const curvesAt = (l: number) =>
    Object.keys(models[0].curves)
      .map((name) => `${name} ${models.map(({ slot, curves }) => `${slot} ${number(curves[name][l + 1])}`).join(' ')}`)
      .join('   ');
  const lensAt = (l: number, k: number, row: number) => {
    const area = view.areas[k];
    if (area.kind !== 'lens' || area.rows[row] === undefined) return curvesAt(l);
    const cell = area.cells[row][l + 1];
    if (!cell) return '–';
    const top = cell.top.map(([text, p]) => `${text} ${number(p)}`).join(', ');
    return `${models[area.model].slot} at ${token(area.model, area.rows[row])}: ${top}   p(target) ${number(cell.target)}   rank ${cell.rank}   entropy ${number(cell.entropy)}`;
  };
  const at = (k: number, x: number, y: number) => {
    const { area } = parts[k];
    if (area.kind === 'map') {
      const i = Math.floor(area.rows[0] + y * (area.rows[1] - area.rows[0]));
      const j = Math.floor(area.columns[0] + x * (area.columns[1] - area.columns[0]));
      if (j <= i) showPair(area.model, i, j);
      return;
    }
    const l = Math.min(layers, Math.max(-1, Math.floor(x * (layers + 2)) - 1));
    const row =
      area.kind === 'lens'
        ? Math.floor(((y * area.box.height - area.head) / (area.box.height - area.head)) * area.rows.length)
        : 0;
    showLayer(l, lensAt(l, k, row));
  };
  parts.forEach(({ area, surface }, k) => {
    const steps =
      area.kind === 'map'
        ? [area.columns[1] - area.columns[0], area.rows[1] - area.rows[0]]
        : [layers + 2, area.kind === 'lens' ? area.rows.length : 1];
    const cursor = [0, steps[1] - 1];
    surface.addEventListener('pointermove', (event) => {
      const box = surface.getBoundingClientRect();
      at(k, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    });
    const show = () => {
      const head = area.kind === 'lens' ? area.head / area.box.height : 0;
      at(k, (cursor[0] + 0.5) / steps[0], head + ((1 - head) * (cursor[1] + 0.5)) / steps[1]);
    };
    surface.addEventListener('focus', show);
    surface.addEventListener('keydown', (event) => {
      const moves: Record<string, readonly [number, number]> = {
        ArrowLeft: [-1, 0],
        ArrowRight: [1, 0],
        ArrowUp: [0, -1],
        ArrowDown: [0, 1],
      };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      for (const axis of [0, 1]) cursor[axis] = Math.min(steps[axis] - 1, Math.max(0, cursor[axis] + move[axis]));
      show();
    });
  });
}
