/**
 * The safetensors format: eight bytes of header length, a JSON header, then the tensors' bytes. The same for files, for
 * answers of the server and for the browser that reads them: typed arrays only. The header is not trusted and is checked
 * completely before a single tensor is read.
 */

import { InputError } from '@/lib/input-error';
import { checkJsonForm } from '@/lib/json-form';
import { aligned, ELEMENT_BYTES, type ElementType, floatToHalf, toBfloat16, toFloat32 } from './dtype';

/** Longest header that the reference implementation accepts. */
const LARGEST_HEADER = 100_000_000;

/** Of a header: 100,000 tensors, each with name, dtype, a shape of eight sizes and two offsets. */
const HEADER_LIMITS = { deepest: 8, most: 1_500_000 };

export interface SafetensorsEntry {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Byte range in the whole file. */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function parseEntry(name: string, value: unknown, dataStart: number, label: string): SafetensorsEntry {
  const broken = (what: string) => new InputError(`${label} is not valid safetensors: the tensor ${name} ${what}.`);
  if (!isRecord(value)) throw broken('has no description');
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    throw broken(
      `has the unknown dtype ${JSON.stringify(dtype)}; save the model with weights of F32, F16 or BF16 (8-bit and quantised ones are not read)`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) throw broken('has a shape that is not a list of sizes');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw broken('has offsets that are not two positions');
  }
  const type = dtype as ElementType;
  const [start, end] = offsets as [number, number];
  const bytes = (shape as number[]).reduce((product, size) => product * size, ELEMENT_BYTES[type]);
  if (!Number.isSafeInteger(bytes) || end - start !== bytes) {
    throw broken(`of shape [${shape}] and dtype ${type} needs ${bytes} bytes but is given ${end - start}`);
  }
  return { name, type, shape: shape as number[], start: dataStart + start, end: dataStart + end };
}

/** Tensors must lie end to end and fill the file: that leaves no overlap, no hole and no truncated tail. */
function checkLayout(entries: Iterable<SafetensorsEntry>, dataStart: number, fileSize: number, label: string): void {
  let position = dataStart;
  let last = 'header';
  for (const entry of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (entry.start !== position) {
      const how = entry.start < position ? 'overlaps' : 'leaves a gap after';
      throw new InputError(`${label} is not valid safetensors: the tensor ${entry.name} ${how} the ${last}.`);
    }
    position = entry.end;
    last = `tensor ${entry.name}`;
  }
  if (position > fileSize) {
    throw new InputError(
      `${label} is cut short: its header describes ${position} bytes and the file has ${fileSize}; copy or download it again.`,
    );
  }
  if (position < fileSize) {
    throw new InputError(`${label} is not valid safetensors: ${fileSize - position} bytes after the last tensor.`);
  }
}

/** Length of the JSON header. @param prefix the first eight bytes @throws InputError where it cannot be true */
export function safetensorsHeaderLength(prefix: Uint8Array, fileSize: number, label: string): number {
  if (fileSize < 8 || prefix.byteLength < 8) {
    throw new InputError(
      `${label} is not valid safetensors: it has only ${fileSize} bytes; copy or download it again.`,
    );
  }
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  if (length > LARGEST_HEADER || length < 2) {
    throw new InputError(
      `${label} is not valid safetensors: its header claims to be ${length} bytes long; download it again.`,
    );
  }
  if (8 + length > fileSize) {
    throw new InputError(
      `${label} is cut short: its header alone needs ${8 + length} bytes and the file has ${fileSize}; copy or download it again.`,
    );
  }
  return length;
}

/**
 * A name that an object of this JSON gives twice, of which `JSON.parse` silently keeps the last. Cost: one pass.
 * @param json text that parses
 */
function repeatedName(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at++) {
    if (json[at] === '{') open.push(new Set());
    else if (json[at] === '}') open.pop();
    if (json[at] !== '"') continue;
    const start = at;
    for (at++; json[at] !== '"'; at++) if (json[at] === '\\') at++;
    let next = at + 1;
    while (/\s/.test(json[next] ?? '')) next++;
    if (json[next] !== ':') continue;
    const name: string = JSON.parse(json.slice(start, at + 1));
    const names = open[open.length - 1];
    if (names.has(name)) return name;
    names.add(name);
  }
  return undefined;
}

/**
 * Parses and checks a header: JSON, every name once, dtypes, shapes against byte ranges, no overlap, no gap, no missing tail.
 * @param json the bytes of the JSON header alone
 * @throws InputError with the first fault
 */
export function parseSafetensorsHeader(json: Uint8Array, fileSize: number, label: string): SafetensorsHeader {
  checkJsonForm(json, `The header of ${label}`, HEADER_LIMITS);
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    header = JSON.parse(text);
  } catch {
    throw new InputError(`${label} is not valid safetensors: its header is not JSON.`);
  }
  const repeated = repeatedName(text);
  if (repeated !== undefined)
    throw new InputError(`${label} is not valid safetensors: its header names ${JSON.stringify(repeated)} twice.`);
  if (!isRecord(header)) throw new InputError(`${label} is not valid safetensors: its header is not a JSON object.`);
  const dataStart = 8 + json.byteLength;
  const { __metadata__: metadata = {}, ...tensors } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw new InputError(`${label} is not valid safetensors: its metadata must map names to texts.`);
  }
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(tensors)) entries.set(name, parseEntry(name, value, dataStart, label));
  checkLayout(entries.values(), dataStart, fileSize, label);
  return { metadata: metadata as Record<string, string>, entries };
}

export type SafetensorsData = Float32Array | Int32Array | BigInt64Array | Uint8Array | Float64Array;

/**
 * Elements in the widest fitting array, a view of `bytes` unless they are widened or misaligned.
 * @throws InputError for unsigned and 8/16-bit integer types but U8
 */
export function decodeElements(bytes: Uint8Array<ArrayBuffer>, type: ElementType, name: string): SafetensorsData {
  const { buffer, byteOffset, byteLength } = aligned(bytes, type);
  const count = byteLength / ELEMENT_BYTES[type];
  switch (type) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return toFloat32(bytes, type);
    case 'F64':
      return new Float64Array(buffer, byteOffset, count);
    case 'I32':
      return new Int32Array(buffer, byteOffset, count);
    case 'I64':
      return new BigInt64Array(buffer, byteOffset, count);
    case 'U8':
    case 'BOOL':
      return bytes;
    default:
      throw new InputError(`The tensor ${name} holds ${type} values, which are not supported; store it as I32 or F32.`);
  }
}

export type OutputType = 'F32' | 'F16' | 'BF16' | 'I32' | 'U8';

/** What the bodies of answers hold. */
export type WireArray = Float32Array | Int32Array | Uint8Array;

export interface WireTensor<T extends WireArray = WireArray> {
  readonly shape: readonly number[];
  readonly data: T;
}

export interface WireBody {
  readonly tensors: ReadonlyMap<string, WireTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor to be written; a Float32Array is written as F32, or rounded where `type` is F16 or BF16. */
export interface OutputTensor extends WireTensor {
  readonly name: string;
  readonly type?: OutputType;
}

/** Element type and little-endian bytes of a tensor to be written; what is not rounded is not copied. */
export function outputBytes({ name, shape, data, type }: OutputTensor): {
  type: OutputType;
  bytes: Uint8Array;
} {
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== data.length) throw new Error(`${name}: shape [${shape}] does not hold ${data.length} elements.`);
  const natural = data instanceof Float32Array ? 'F32' : data instanceof Int32Array ? 'I32' : 'U8';
  if (data instanceof Float32Array && (type === 'F16' || type === 'BF16')) {
    const bits = type === 'F16' ? Uint16Array.from(data, floatToHalf) : toBfloat16(data);
    return { type, bytes: new Uint8Array(bits.buffer) };
  }
  if (type && type !== natural) throw new Error(`${name}: ${natural} data cannot be written as ${type}.`);
  return { type: natural, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/**
 * A safetensors file as consecutive chunks: the header, then each tensor's own memory (nothing is copied).
 * Wide types come before narrow ones, so that every tensor starts on a multiple of its element size.
 */
export function safetensorsChunks(
  tensors: Iterable<OutputTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const parts = [...tensors].map((tensor) => ({ tensor, ...outputBytes(tensor) }));
  parts.sort((a, b) => ELEMENT_BYTES[b.type] - ELEMENT_BYTES[a.type]);
  const header = new Map<string, unknown>(Object.keys(metadata).length ? [['__metadata__', metadata]] : []);
  let offset = 0;
  for (const { tensor, type, bytes } of parts) {
    if (tensor.name === '__metadata__' || header.has(tensor.name)) {
      throw new Error(`The tensor name ${tensor.name} cannot be used twice in one safetensors file.`);
    }
    header.set(tensor.name, { dtype: type, shape: tensor.shape, data_offsets: [offset, offset + bytes.byteLength] });
    offset += bytes.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return [head, ...parts.map(({ bytes }) => bytes)];
}

/** Tensors to be written as a list, or by name where code and not a file says the names. */
export type OutputTensors = Iterable<OutputTensor> | Readonly<Record<string, WireTensor>>;

const listed = (tensors: OutputTensors): Iterable<OutputTensor> =>
  Symbol.iterator in tensors
    ? (tensors as Iterable<OutputTensor>)
    : Object.entries(tensors).map(([name, tensor]) => ({ name, ...tensor }));

/** All of it in one piece of memory, for an HTTP body. Cost: one copy. */
export function encodeSafetensors(
  tensors: OutputTensors,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const chunks = safetensorsChunks(listed(tensors), metadata);
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

/**
 * Reads the body of an answer. Its tensors are views of `buffer` unless they are widened or misaligned.
 * @throws InputError with the first fault, and for 64-bit types, which no answer has
 */
export function decodeSafetensors(buffer: ArrayBuffer): WireBody {
  const label = 'The answer';
  const length = safetensorsHeaderLength(
    new Uint8Array(buffer, 0, Math.min(8, buffer.byteLength)),
    buffer.byteLength,
    label,
  );
  const { entries, metadata } = parseSafetensorsHeader(new Uint8Array(buffer, 8, length), buffer.byteLength, label);
  const tensors = new Map<string, WireTensor>();
  for (const { name, type, shape, start, end } of entries.values()) {
    const data = decodeElements(new Uint8Array(buffer, start, end - start), type, name);
    if (data instanceof Float64Array || data instanceof BigInt64Array)
      throw new InputError(`${label} is not valid here: the tensor ${name} holds ${type} values.`);
    tensors.set(name, { shape, data });
  }
  return { tensors, metadata };
}
