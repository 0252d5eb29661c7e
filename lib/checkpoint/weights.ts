/** The weight files of a checkpoint folder, whichever format they have, as one list of lazily read tensors. */

import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ELEMENT_BYTES, type ElementType, toFloat32 } from '@/lib/safetensors/dtype';
import { insteadOfWeights, LARGEST_INDEX } from './complete';
import { type ByteSource, openFile, readText } from './files';
import { parseJsonObject } from './json';
import { readSafetensorsHeader } from './safetensors';
import { shortList } from './schema';
import { type ElementRange, listTorchTensors } from './torch-file';
import { InputError } from './types';

export interface StoredTensor {
  /** The name in the file. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: ElementType;
  /** The same for tensors that are one in the file. */
  readonly place?: string;
  /** Reads the values, all or those of a range; the memory is the caller's own. */
  read(range?: ElementRange): Promise<Float32Array>;
  /** The same as the bits of bfloat16 or float16, where that is what is stored. */
  readBits?(): Promise<Uint16Array>;
}

export interface WeightFiles {
  readonly tensors: readonly StoredTensor[];
  /** What else the files hold that could be weights, and is not read. */
  readonly unused: readonly string[];
  close(): Promise<void>;
}

async function safetensorsTensors(source: ByteSource): Promise<StoredTensor[]> {
  const { entries } = await readSafetensorsHeader(source);
  return [...entries.values()].map(({ name, type, shape, start, end }) => ({
    name,
    shape,
    type,
    read: async ([from, to] = [0, (end - start) / ELEMENT_BYTES[type]]) =>
      toFloat32(await source.read(start + from * ELEMENT_BYTES[type], (to - from) * ELEMENT_BYTES[type]), type),
    ...((type === 'BF16' || type === 'F16') && {
      readBits: async () => new Uint16Array((await source.read(start, end - start)).buffer),
    }),
  }));
}

type TensorsOf = (source: ByteSource, onUnused: (name: string) => void) => Promise<StoredTensor[]>;

/** Opens several files; on failure none stays open. */
async function openAll(
  paths: readonly string[],
  tensorsOf: TensorsOf,
): Promise<WeightFiles & { fileOf: ReadonlyMap<string, string> }> {
  const sources: ByteSource[] = [];
  const close = async () => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    const tensors: StoredTensor[] = [];
    const fileOf = new Map<string, string>();
    const unused: string[] = [];
    for (const path of paths) {
      const source = await openFile(path);
      sources.push(source);
      for (const tensor of await tensorsOf(source, (name) => unused.push(name))) {
        const other = fileOf.get(tensor.name);
        if (other) throw new InputError(`The tensor ${tensor.name} is in both ${other} and ${source.label}.`);
        fileOf.set(tensor.name, source.label);
        tensors.push(tensor);
      }
    }
    return { tensors, unused, fileOf, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A sharded checkpoint: the index says which file holds which tensor, and both must agree. */
async function openSharded(
  indexPath: string,
  extension: '.safetensors' | '.bin',
  tensorsOf: TensorsOf,
): Promise<WeightFiles> {
  const label = basename(indexPath);
  const map = parseJsonObject(await readText(indexPath, LARGEST_INDEX), label).weight_map;
  if (typeof map !== 'object' || map === null) throw new InputError(`${label} has no weight_map; replace the file.`);
  const shardOf = new Map(Object.entries(map as Record<string, unknown>));
  const files = [...new Set(shardOf.values())];
  for (const file of files) {
    // An index must not be able to name files outside its own folder.
    if (typeof file !== 'string' || basename(file) !== file || !file.endsWith(extension)) {
      throw new InputError(
        `${label} names the shard ${JSON.stringify(file)}; shards must be ${extension} files beside it.`,
      );
    }
  }
  const folder = dirname(indexPath);
  const absent = (files as string[]).filter((file) => !existsSync(join(folder, file)));
  if (absent.length > 0)
    throw new InputError(
      `${label} names ${absent.length} of ${files.length} shards that are not there (${shortList(absent)}): copy or download them too.`,
    );
  const weights = await openAll(
    (files as string[]).map((file) => join(folder, file)),
    tensorsOf,
  );
  for (const [name, file] of shardOf) {
    if (weights.fileOf.get(name) === file) continue;
    await weights.close();
    throw new InputError(`${label} says that ${file} holds the tensor ${name}, but it does not; replace the files.`);
  }
  return weights;
}

/**
 * Opens the weights of a folder and reads their headers: `model.safetensors` or `pytorch_model.bin`, each whole or as
 * shards with an index. Safetensors come first where a folder has both.
 * @throws InputError where there are none or a header is broken
 */
export async function openWeights(folder: string): Promise<WeightFiles> {
  const formats = [
    ['model', '.safetensors', safetensorsTensors],
    ['pytorch_model', '.bin', listTorchTensors],
  ] as const;
  for (const [name, extension, tensorsOf] of formats) {
    const single = join(folder, name + extension);
    if (existsSync(single)) return openAll([single], tensorsOf);
    const index = `${single}.index.json`;
    if (existsSync(index)) return openSharded(index, extension, tensorsOf);
  }
  throw new InputError(
    `${folder} holds no weights; model.safetensors, model.safetensors.index.json or pytorch_model.bin is needed.${insteadOfWeights(folder)}`,
  );
}
