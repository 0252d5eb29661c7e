import type { ExportFormat } from '@/lib/api/export';
import { npzChunks } from '@/lib/checkpoint/npz';
import { safetensorsChunks, type WireArray } from '@/lib/safetensors';
import type { Cell, Numbers } from './numbers';
import { UNITS } from './numbers';

export const CONTENT_TYPES: Readonly<Record<ExportFormat, string>> = {
  csv: 'text/csv; charset=utf-8',
  npz: 'application/zip',
  safetensors: 'application/vnd.safetensors',
  json: 'application/json',
};

/** Shortest decimal that reads back as the same float32. */
function shortest(value: number): number {
  if (!Number.isFinite(value) || Number.isInteger(value)) return value;
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return Number(value.toPrecision(9));
}

function field(cell: Cell): string {
  if (cell === null || Number.isNaN(cell)) return '';
  if (typeof cell === 'number') return String(shortest(cell));
  return /[",\r\n#]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

const oneLine = (text: string) => text.replaceAll(/[\r\n]+/g, ' ');

/** Comma-separated values: lines that begin with `#` say what it is, then a header with units, then rows. */
function* csvLines({ metadata, columns, rows }: Numbers): Generator<string> {
  for (const [key, value] of Object.entries(metadata)) if (key !== 'tokens') yield `# ${key}: ${oneLine(value)}\n`;
  const title = (name: string) => field(UNITS[name] ? `${name} [${UNITS[name]}]` : name);
  yield `${columns.map(title).join(',')}\n`;
  for (const row of rows()) yield `${row.map(field).join(',')}\n`;
}

/** One object: metadata, then each tensor as its shape and its values in row-major order. */
function json({ metadata, tensors }: Numbers): string {
  const values = (data: WireArray) =>
    Array.from<number, number | null>(data, (value) => (Number.isFinite(value) ? shortest(value) : null));
  const { tokens, ...rest } = metadata;
  return JSON.stringify({
    ...rest,
    tokens: JSON.parse(tokens),
    tensors: Object.fromEntries(tensors.map(({ name, shape, data }) => [name, { shape, data: values(data) }])),
  });
}

/** Numbers as the bytes of a file. */
export function encodeNumbers(numbers: Numbers, format: ExportFormat): Blob {
  const type = CONTENT_TYPES[format];
  switch (format) {
    case 'csv':
      return new Blob([...csvLines(numbers)], { type });
    case 'json':
      return new Blob([json(numbers)], { type });
    case 'npz':
      return new Blob(npzChunks(numbers.tensors) as Uint8Array<ArrayBuffer>[], { type });
    case 'safetensors':
      return new Blob(safetensorsChunks(numbers.tensors, numbers.metadata) as Uint8Array<ArrayBuffer>[], { type });
  }
}
