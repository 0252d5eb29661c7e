import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { type ByteSource, openFile } from '@/lib/checkpoint/files';
import { readSafetensorsHeader } from '@/lib/checkpoint/safetensors';
import { InputError } from '@/lib/input-error';
import { filesOf } from './documents';
import { ID_BYTES, type IdRange, type IdType } from './id-file';
import type { DataSource, Split } from './source';
import { digestsOf, inOrder, namedSplit, runningFields, runningSource, sha256OfAll } from './text-source';

export const idsSourceSchema = z.strictObject({
  /** A .npy or .safetensors file, or a folder with one for each of train, validation and test. */
  path: z.string().min(1),
  /** Ids are below. */
  vocabulary: z.int().min(1),
  /** The tensor of a .safetensors file that has several. */
  tensor: z.string().min(1).optional(),
  ...runningFields,
});

type IdsSource = z.infer<typeof idsSourceSchema>;

/**
 * Rows of ready-made ids. Arrays of any shape are read as one run of ids, row after row; a file by itself is divided in its
 * order. Nothing but the rows that are asked for is read into memory.
 * @throws InputError
 */
export async function idsSource(options: IdsSource): Promise<DataSource> {
  const { path, vocabulary, tensor, held_out, name = basename(resolve(path)) } = options;
  const files = filesOf(path, { ending: /\.(npy|safetensors)$/, said: '.npy or .safetensors' });
  const found = await Promise.all(files.map((file) => idsOf(file, tensor)));
  return runningSource(options, {
    name,
    source: files.join(', '),
    sha256: sha256OfAll(await digestsOf(files, options.cache)),
    vocabularySize: vocabulary,
    ranges: files.length === 1 ? inOrder(found[0].file, found[0].count, held_out) : bySplit(files, found, path),
  });
}

/** @throws InputError where a split has no file, or several */
function bySplit(files: readonly string[], found: readonly IdRange[], path: string): Record<Split, IdRange> {
  const of = (split: Split) => {
    const places = files.flatMap((file, k) => (namedSplit(file) === split ? [k] : []));
    if (places.length === 1) return found[places[0]];
    throw new InputError(
      `${path} has ${places.length} files of ids for ${split}: give one for each of train, validation and test, named so.`,
    );
  };
  return { train: of('train'), validation: of('validation'), test: of('test') };
}

async function idsOf(path: string, tensor: string | undefined): Promise<IdRange> {
  const source = await openFile(path);
  try {
    const { type, offset, count } = path.endsWith('.npy') ? await npyIds(source) : await safetensorsIds(source, tensor);
    return { file: { path, offset, type }, start: 0, count };
  } finally {
    await source.close();
  }
}

interface Ids {
  readonly type: IdType;
  readonly offset: number;
  readonly count: number;
}

const NPY_TYPES: Readonly<Record<string, IdType>> = {
  '|u1': 'U8',
  '|i1': 'I8',
  '<u2': 'U16',
  '<i2': 'I16',
  '<u4': 'U32',
  '<i4': 'I32',
  '<u8': 'U64',
  '<i8': 'I64',
};

/** The header of a NumPy file: magic, version, length, a Python dict. @throws InputError */
async function npyIds(source: ByteSource): Promise<Ids> {
  const { label } = source;
  const broken = (what: string) => new InputError(`${label} is no array of ids that can be read: ${what}.`);
  const prefix = await source.read(0, Math.min(12, source.size));
  const magic = String.fromCharCode(...prefix.subarray(1, 6));
  if (prefix.length < 12 || prefix[0] !== 0x93 || magic !== 'NUMPY') throw broken('it is not of the .npy format');
  const view = new DataView(prefix.buffer);
  const [start, length] = prefix[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  if (length > 65_536) throw broken(`its header claims to be ${length} bytes long`);
  const header = new TextDecoder('latin1').decode(await source.read(start, length));
  const [, written = '?'] = /'descr':\s*'([^']*)'/.exec(header) ?? [];
  const type = NPY_TYPES[written];
  if (!type) throw broken(`its elements are "${written}", not whole numbers in little-endian order`);
  if (/'fortran_order':\s*True/.test(header)) throw broken('it is in Fortran order; save it with np.ascontiguousarray');
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1].match(/\d+/g) ?? [];
  const count = shape.reduce((product, size) => product * Number(size), 1);
  const offset = start + length;
  if (offset + count * ID_BYTES[type] !== source.size)
    throw broken(`its header describes ${offset + count * ID_BYTES[type]} bytes and the file has ${source.size}`);
  return { type, offset, count };
}

async function safetensorsIds(source: ByteSource, name: string | undefined): Promise<Ids> {
  const { entries } = await readSafetensorsHeader(source);
  const names = [...entries.keys()];
  if (name === undefined && names.length !== 1)
    throw new InputError(`${source.label} has the tensors ${names.join(', ')}: say which holds the ids (tensor).`);
  const entry = entries.get(name ?? names[0]);
  if (!entry) throw new InputError(`${source.label} has no tensor "${name}", but ${names.join(', ')}.`);
  if (!(entry.type in ID_BYTES))
    throw new InputError(`The tensor ${entry.name} of ${source.label} is ${entry.type}, and ids are whole numbers.`);
  const type = entry.type as IdType;
  return { type, offset: entry.start, count: (entry.end - entry.start) / ID_BYTES[type] };
}
