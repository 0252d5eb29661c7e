import { createHash } from 'node:crypto';
import { mkdir, open, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '@/lib/checkpoint/files';
import { InputError } from '@/lib/input-error';
import type { Line } from './evaluation';

const PREDICTIONS = 'predictions.jsonl';
const RUN = 'run.json';

/** The lines of one evaluation in a folder, which grow at their end only. */
export interface Store {
  /** Lines that were there already, in their order. */
  readonly stored: readonly Line[];
  /** Keeps so many of the stored lines and drops the rest. */
  keep(lines: number): Promise<void>;
  /** Writes lines at the end, all with one write. */
  append(lines: readonly Line[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a folder for the lines of an evaluation. What an ended process left is gone on with: a torn last line is dropped.
 * @param identity everything that decides the lines; JSON
 * @throws InputError where the folder holds another evaluation, or cannot be written
 */
export async function openStore(folder: string, identity: unknown): Promise<Store> {
  const path = join(folder, PREDICTIONS);
  await mkdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The folder ${folder} cannot be made (${cause.code ?? cause.message}).`);
  });
  const text = JSON.stringify(identity, null, 1);
  const known = await contentsOf(join(folder, RUN));
  const before = await contentsOf(path);
  const isEmpty = before === undefined || before === '';
  if (known !== undefined && known !== text && !isEmpty)
    throw new InputError(
      `${folder} holds another evaluation (other settings, models, weights or device): choose another folder, or ask as ${RUN} in it says.`,
    );
  if (known === undefined && !isEmpty)
    throw new InputError(`${path} is not of this evaluation: choose another folder.`);
  if (known !== text) await writeWhole(join(folder, RUN), text);
  const whole = (before ?? '').slice(0, (before ?? '').lastIndexOf('\n') + 1);
  const texts = whole === '' ? [] : whole.slice(0, -1).split('\n');
  const stored = texts.map((line, k) => parsed(line, path, k + 1));
  await shorten(path, before, whole);
  const file = await open(path, 'a');
  return {
    stored,
    async keep(lines) {
      const kept = texts.slice(0, lines).map((line) => `${line}\n`);
      if (lines < texts.length) await truncate(path, Buffer.byteLength(kept.join('')));
    },
    append: async (lines) => {
      await file.appendFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    },
    close: () => file.close(),
  };
}

async function shorten(path: string, before: string | undefined, whole: string): Promise<void> {
  if (before !== undefined && before !== whole) await truncate(path, Buffer.byteLength(whole));
}

function parsed(line: string, path: string, number: number): Line {
  try {
    return JSON.parse(line);
  } catch {
    throw new InputError(`Line ${number} of ${path} is not JSON: the file was changed; choose another folder.`);
  }
}

const contentsOf = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new InputError(`${path} cannot be read (${cause.code ?? cause.message}).`);
  });

/** Replaces a file in one step, so that nobody ever reads half of it. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await writeAtomically(path, [new TextEncoder().encode(text)]);
}

/** Of tensors by name, in the order of the names. Cost: one pass over the weights. */
export function fingerprint(
  config: unknown,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
): string {
  const hash = createHash('sha256').update(JSON.stringify(config));
  for (const name of [...tensors.keys()].sort()) {
    const { shape, data } = tensors.get(name) as { shape: readonly number[]; data: Float32Array };
    hash.update(`${name} ${shape}`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}
