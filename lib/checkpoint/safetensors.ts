/** Safetensors files: only the header is read before it has been checked completely, then one tensor at a time. */

import {
  decodeElements,
  type OutputTensor,
  parseSafetensorsHeader,
  type SafetensorsData,
  type SafetensorsHeader,
  safetensorsChunks,
  safetensorsHeaderLength,
} from '@/lib/safetensors';
import type { ElementType } from '@/lib/safetensors/dtype';
import { type ByteSource, openFile, writeAtomically } from './files';
import { InputError } from './types';

/** How files begin that are no safetensors, and what they are. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^PK/, 'is what torch.save writes: call it pytorch_model.bin.'],
  [/^GGUF/, 'is a GGUF file, which is not read: take the original weights.'],
  [/^[\t\n\r\x20-\x7e]{8}/, 'holds a text and no weights: open it to see what it says, and download the file again.'],
];

/** Reads and checks the header of an open file; reads nothing else. */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const prefix = await source.read(0, Math.min(8, source.size));
  const beginning = String.fromCharCode(...prefix);
  const what = OTHERS.find(([start]) => start.test(beginning))?.[1];
  if (what) throw new InputError(`${source.label} ${what}`);
  const length = safetensorsHeaderLength(prefix, source.size, source.label);
  return parseSafetensorsHeader(await source.read(8, length), source.size, source.label);
}

export interface SafetensorsTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Half-precision formats are widened to float32; F64, I32, I64, U8 and BOOL keep their own width. */
  readonly data: SafetensorsData;
}

/** Reads a whole safetensors file. Memory: the file once (half-precision tensors twice their size). */
export async function readSafetensors(path: string): Promise<Map<string, SafetensorsTensor>> {
  const source = await openFile(path);
  try {
    const { entries } = await readSafetensorsHeader(source);
    const tensors = new Map<string, SafetensorsTensor>();
    for (const { name, type, shape, start, end } of entries.values()) {
      tensors.set(name, { name, type, shape, data: decodeElements(await source.read(start, end - start), type, name) });
    }
    return tensors;
  } finally {
    await source.close();
  }
}

/** Writes a safetensors file; it appears under its name only when complete. */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<OutputTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeAtomically(path, safetensorsChunks(tensors, metadata));
}
