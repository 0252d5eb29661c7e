import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Measured } from '@/lib/analysis/allocation';
import { InputError, type OutputTensor, writeNpz, writeSafetensors } from '@/lib/checkpoint';
import { type TokenizerChoice, tokenizerLabel } from '@/lib/tokenizer';
import { formatDuration, type WeightFormat } from '@/lib/vocabulary';
import { version } from '@/package.json';
import type { Io } from './io';

/** What `__metadata__` says about a file of results. */
export interface Provenance {
  readonly model: string;
  readonly device: string;
  readonly weights: WeightFormat;
  /** What reads and writes tokens; null where nothing does. */
  readonly tokenizer: Pick<TokenizerChoice, 'name' | 'source'> | null;
  readonly command: string;
  /** What of the model's files is not used as they say. */
  readonly warnings?: readonly string[];
}

/** What every JSON of results says of how it was made. */
export const about = ({ weights, tokenizer, warnings = [] }: Provenance) => ({
  weights,
  tokenizer,
  ...(warnings.length > 0 && { warnings }),
});

/** Checks that a file of results can be written, before anything is computed. @throws InputError */
export async function requireWritable(out: string | undefined, option = '--out'): Promise<void> {
  if (out === undefined) return;
  if (!/\.(safetensors|npz)$/.test(out))
    throw new InputError(`${option} takes a file that ends in .safetensors or .npz, not "${out}".`);
  const folder = dirname(resolve(out));
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw new InputError(`The folder ${folder} of ${option} does not exist: make it first.`);
}

/** What is known of a file of results; a batch of several models has no one format of weights, or tokenizer. */
type Made = Pick<Provenance, 'model' | 'device' | 'command'> & Partial<Provenance>;

/** The same as texts. */
export function metadataOf({ warnings = [], tokenizer, weights, ...rest }: Made): Record<string, string> {
  return {
    ...rest,
    ...(weights && { weights }),
    ...(tokenizer && { tokenizer: tokenizerLabel(tokenizer) }),
    ...(warnings.length > 0 && { warnings: warnings.join('\n') }),
  };
}

/** Writes tensors as safetensors with metadata, or as NPZ by extension. */
export async function writeTensors(out: string, tensors: readonly OutputTensor[], provenance: Made): Promise<void> {
  if (out.endsWith('.npz')) return writeNpz(out, tensors);
  await writeSafetensors(out, tensors, { ...metadataOf(provenance), version });
}

type Cell = string | number | boolean | null | undefined;

/** Prints rows as JSON, each with the format of the weights where a model ran, or as a table with a column per key. */
export function printRows(
  io: Io,
  rows: readonly Readonly<Record<string, unknown>>[],
  json: boolean,
  provenance?: Provenance,
): void {
  if (json) printJson(io, provenance ? rows.map((row) => ({ ...row, ...about(provenance) })) : rows);
  else if (rows.length > 0) io.out(table(rows));
}

export const printJson = (io: Io, value: unknown): void => io.out(`${JSON.stringify(value)}\n`);

function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  if (typeof value === 'number' && !Number.isInteger(value)) return compact(value);
  return String((value as Cell) ?? '–');
}

/** Four significant digits for reading; files and JSON hold the whole number. */
const compact = (value: number) => {
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
};

/** The heading of a column of milliseconds, which readers are shown as times; undefined of another column. */
const timeHeading = (column: string) => (column === 'ms' ? 'time' : /^(.*)_ms$/.exec(column)?.[1].concat(' time'));

const showIn = (column: string, value: unknown) =>
  timeHeading(column) && typeof value === 'number' ? formatDuration(value / 1000) : show(value);

export function table(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const columns = Object.keys(rows[0]);
  const headings = columns.map((column) => timeHeading(column) ?? column);
  const cells = [headings, ...rows.map((row) => columns.map((column) => showIn(column, row[column])))];
  const widths = columns.map((_, c) => Math.max(...cells.map((line) => line[c].length)));
  const numeric = columns.map(
    (column) => !timeHeading(column) && rows.every((row) => typeof (row[column] ?? 0) === 'number'),
  );
  const pad = (text: string, c: number) => (numeric[c] ? text.padStart(widths[c]) : text.padEnd(widths[c]));
  return cells.map((line) => `${line.map(pad).join('  ').trimEnd()}\n`).join('');
}

/** A mean with its interval, where it has one; a dash where it is not defined. */
export const withInterval = (value: Measured | null): string =>
  value === null
    ? '–'
    : value.low === undefined || value.high === undefined
      ? value.mean.toFixed(3)
      : `${value.mean.toFixed(3)} [${value.low.toFixed(3)}, ${value.high.toFixed(3)}]`;
