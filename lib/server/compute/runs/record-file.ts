import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type OutputTensor, readSafetensors, writeSafetensors } from '@/lib/checkpoint';
import { openFile } from '@/lib/checkpoint/files';
import { readSafetensorsHeader } from '@/lib/checkpoint/safetensors';
import type { ModelRecord } from './record';
import { checkArrays, checkType } from './record-arrays';
import { checkRecord } from './record-schema';

/** The format's number changes with what a record holds. */
const FORMAT = 'statescope run 1';

/** What the structure says in place of a value that JSON cannot hold. */
type Marker = { $array: string } | { $map: [unknown, unknown][] } | { $number: string };

/**
 * Takes the arrays out of a value, however deep. They are named by their path, such as `blocks.3.scans.single.delta`,
 * and an array that occurs twice is kept once.
 */
function takeApart(value: unknown): { structure: unknown; arrays: Map<string, Float32Array | Int32Array> } {
  const arrays = new Map<string, Float32Array | Int32Array>();
  const names = new Map<unknown, string>();
  const visit = (part: unknown, path: string): unknown => {
    if (part instanceof Float32Array || part instanceof Int32Array) {
      const name = names.get(part) ?? path;
      names.set(part, name);
      arrays.set(name, part);
      return { $array: name } satisfies Marker;
    }
    if (ArrayBuffer.isView(part)) throw new Error(`${path} is an array of a kind that is not kept.`);
    if (typeof part === 'number' && !Number.isFinite(part)) return { $number: String(part) } satisfies Marker;
    if (typeof part !== 'object' || part === null) return part;
    const below = (key: unknown) => (path ? `${path}.${key}` : String(key));
    if (part instanceof Map)
      return { $map: [...part].map(([key, item]) => [key, visit(item, below(key))]) } satisfies Marker;
    if (Array.isArray(part)) return part.map((item, i) => visit(item, below(i)));
    return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, visit(item, below(key))]));
  };
  return { structure: visit(value, ''), arrays };
}

function putTogether(structure: unknown, arrayOf: (name: string) => unknown): unknown {
  const visit = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(visit);
    if (typeof part !== 'object' || part === null) return part;
    if ('$array' in part) return arrayOf(String(part.$array));
    if ('$number' in part) return Number(part.$number);
    if ('$map' in part) return new Map((part.$map as [unknown, unknown][]).map(([key, item]) => [key, visit(item)]));
    return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, visit(item)]));
  };
  return visit(structure);
}

/** Shape of an array of a record; only the residual streams say theirs. */
const shapeOf = (name: string, { length }: { length: number }, { L }: ModelRecord) =>
  name.startsWith('residuals.') ? [L, length / L] : [length];

/** Writes one model of a run as a safetensors file, which appears when it is complete. Nothing is copied. */
export async function writeRecord(path: string, record: ModelRecord): Promise<void> {
  const { structure, arrays } = takeApart(record);
  const tensors = [...arrays].map(([name, data]): OutputTensor => ({ name, data, shape: shapeOf(name, data, record) }));
  await mkdir(dirname(path), { recursive: true });
  await writeSafetensors(path, tensors, { format: FORMAT, structure: JSON.stringify(structure) });
}

/**
 * @param options.foreign the file was written by another program: its arrays are looked at one by one
 * @throws when the file is missing, damaged, of another format, or contradicts itself.
 */
export async function readRecord(path: string, { foreign = false } = {}): Promise<ModelRecord> {
  const source = await openFile(path);
  const { metadata } = await readSafetensorsHeader(source).finally(() => source.close());
  if (metadata.format !== FORMAT) throw new Error(`${path} is not a run that this version can read.`);
  const tensors = await readSafetensors(path);
  const put = putTogether(JSON.parse(metadata.structure), (name) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${path} lacks the array ${name}.`);
    if (foreign) checkType(tensor);
    return tensor.data;
  });
  const record = checkRecord(put);
  if (foreign) checkArrays(tensors, takeApart(record).arrays, record);
  return record;
}
