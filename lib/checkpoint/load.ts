/** Reading a checkpoint folder of any supported format. */

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { canBeWeights, storedDtype, toFloat32 } from '@/lib/safetensors/dtype';
import { parseConfig } from './config';
import { readText } from './files';
import { parseJsonObject } from './json';
import { EMBEDDING, HEAD, namingOf } from './names';
import { checkTensors, expectedTensors, shortList } from './schema';
import type { ElementRange } from './torch-file';
import {
  type Checkpoint,
  type CheckpointTensor,
  InputError,
  type ModelConfig,
  readable,
  type StoredDtype,
} from './types';
import { withTokenizer } from './vocabulary';
import { openWeights, type StoredTensor, type WeightFiles } from './weights';

/** A tensor of the model. */
export interface StoredWeight extends StoredTensor {
  readonly dtype: StoredDtype;
}

export interface OpenCheckpoint {
  /** Its vocabulary is the config's: no tokenizer is read. */
  readonly config: ModelConfig;
  /** By canonical name; a tied head is left out. */
  readonly tensors: ReadonlyMap<string, StoredWeight>;
  readonly parameterCount: number;
  readonly warnings: readonly string[];
  /** A stored head that is the embedding as far as was looked. */
  readonly twin?: StoredWeight;
  close(): Promise<void>;
}

/** Bytes of a config.json: some thousand layers, each named. */
export const LARGEST_CONFIG = 2 ** 20;

const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

async function readConfigFile(folder: string): Promise<string> {
  const path = join(folder, 'config.json');
  if (existsSync(path)) return readText(path, LARGEST_CONFIG);
  throw new InputError(`${path} cannot be found; a checkpoint is a folder with config.json and its weights.`);
}

/** Elements that are compared at a time. */
const PIECE = 2 ** 20;

/** A few places of two tensors, of which trained ones that are not the same differ everywhere. */
function sampleOf(count: number): ElementRange[] {
  const width = Math.min(count, 4096);
  return [0, Math.floor((count - width) / 2), count - width].map((from) => [from, from + width]);
}

function* piecesOf(count: number): Generator<ElementRange> {
  for (let from = 0; from < count; from += PIECE) yield [from, Math.min(from + PIECE, count)];
}

/** Whether two tensors of one shape hold the same values in these ranges. Memory: one range of each. */
async function agree(a: StoredTensor, b: StoredTensor, ranges: Iterable<ElementRange>): Promise<boolean> {
  if (a.place !== undefined && a.place === b.place) return true;
  for (const range of ranges) {
    const [one, other] = await Promise.all([a.read(range), b.read(range)]);
    if (one.some((value, i) => value !== other[i])) return false;
  }
  return true;
}

/** The tensors under the names that they have here. @throws InputError where two different ones would have the same */
async function named(
  { tensors }: WeightFiles,
  label: string,
): Promise<{ tensors: Map<string, StoredTensor>; outside: readonly string[] }> {
  const { canonical, outside } = namingOf(
    tensors.map(({ name }) => name),
    label,
  );
  const byName = new Map<string, StoredTensor>();
  for (const tensor of tensors) {
    const name = canonical.get(tensor.name);
    if (name === undefined) continue;
    const other = byName.get(name);
    const count = elements(tensor.shape);
    const isTwin = other?.shape.join() === tensor.shape.join() && (await agree(other, tensor, piecesOf(count)));
    if (other && !isTwin)
      throw new InputError(
        `${label}: ${other.name} and ${tensor.name} are two different tensors for ${name}; remove one.`,
      );
    byName.set(name, other ?? tensor);
  }
  return { tensors: byName, outside };
}

/** The head of a file whose config ties it to the embedding: only what is not stored is taken from the other. */
async function tie(tensors: Map<string, StoredTensor>, label: string): Promise<'tied' | 'apart'> {
  const [head, embedding] = [tensors.get(HEAD), tensors.get(EMBEDDING)];
  if (!head) return 'tied';
  if (!embedding) {
    tensors.set(EMBEDDING, head);
    tensors.delete(HEAD);
    return 'tied';
  }
  if (head.shape.join() !== embedding.shape.join()) {
    throw new InputError(
      `${label}: the head is tied to the embedding, but ${HEAD} has shape [${head.shape}] and the embedding [${embedding.shape}].`,
    );
  }
  if (!(await agree(head, embedding, sampleOf(elements(head.shape))))) return 'apart';
  return 'tied';
}

const headIsUsed = (label: string) =>
  `${label}: the config ties the head to the embedding, but the file holds another ${HEAD}; that head is used, as transformers 5 does.`;

type Matched = Omit<OpenCheckpoint, 'close'>;

/** Takes away the counters that training leaves among the weights: integers that no weight of the model is called as. */
function withoutCounters(tensors: Map<string, StoredTensor>, config: ModelConfig): string[] {
  const expected = expectedTensors(config);
  const counters = [...tensors].filter(
    ([name, { type }]) => !canBeWeights(type) && !expected.has(name) && name !== HEAD,
  );
  for (const [name] of counters) tensors.delete(name);
  return counters.map(([, { name }]) => name);
}

/** @throws InputError for integers */
const asWeight = (tensor: StoredTensor): StoredWeight => ({ ...tensor, dtype: storedDtype(tensor.type, tensor.name) });

async function match(weights: WeightFiles, configText: string, label: string): Promise<Matched> {
  const warnings: string[] = [];
  const warn = (text: string) => warnings.push(readable(text));
  const { tensors, outside } = await named(weights, label);
  const shapes = () => new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  const place = `${label}/config.json`;
  const read = parseConfig(parseJsonObject(configText, place), shapes(), place, warn);
  const left = [...outside, ...weights.unused, ...withoutCounters(tensors, read)];
  const apart = read.tied && (await tie(tensors, label)) === 'apart';
  if (apart) warn(headIsUsed(label));
  const config = apart ? { ...read, tied: false } : read;
  const twin = config.tied ? tensors.get(HEAD) : undefined;
  if (twin) tensors.delete(HEAD);
  checkTensors(config, shapes(), label, outside);
  if (left.length > 0) warn(`${label}: not part of the model and not used: ${shortList(left)}.`);
  const parameterCount = [...tensors.values()].reduce((sum, { shape }) => sum + elements(shape), 0);
  return {
    config,
    tensors: new Map([...tensors].map(([name, tensor]) => [name, asWeight(tensor)])),
    warnings,
    parameterCount,
    ...(twin && { twin: asWeight(twin) }),
  };
}

/**
 * Reads a folder's config and the headers of its weights, and checks that they fit each other. No values are read
 * but a few of a head beside the embedding that it is tied to. The caller closes it.
 * @throws InputError
 */
export async function openCheckpoint(folder: string): Promise<OpenCheckpoint> {
  const configText = await readConfigFile(folder);
  const weights = await openWeights(folder);
  try {
    return { ...(await match(weights, configText, basename(resolve(folder)))), close: weights.close };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/**
 * x · 0 is 0 for every finite number and NaN for all others, so sums without branches tell. Four of them, because one
 * would wait for itself at every element.
 */
function allFinite(values: Float32Array): boolean {
  const whole = values.length - (values.length % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    a += values[i] * 0;
    b += values[i + 1] * 0;
    c += values[i + 2] * 0;
    d += values[i + 3] * 0;
  }
  for (let i = whole; i < values.length; i++) a += values[i] * 0;
  return a + b + c + d === 0;
}

export interface LoadOptions {
  /** Told after each tensor how many of the parameters are in memory. */
  readonly onProgress?: (parameters: number, total: number) => void;
  /** Keeps tensors that are stored as bfloat16 or float16 in their 16 bits; others, and by default these too, become float32. */
  readonly keepBits?: boolean;
}

/** What is in memory of one tensor. */
type Values = Float32Array | Uint16Array;

/** The exponent of what is not finite. */
const NOT_FINITE: Readonly<Record<'BF16' | 'F16', number>> = { BF16: 0x7f80, F16: 0x7c00 };

function allFinite16(bits: Uint16Array, type: 'BF16' | 'F16'): boolean {
  const mask = NOT_FINITE[type];
  for (let i = 0; i < bits.length; i++) if ((bits[i] & mask) === mask) return false;
  return true;
}

/** A tensor in its 16 bits, widened whenever somebody asks for its values. */
const keptIn16 = (
  tensor: Omit<CheckpointTensor, 'data' | 'bits'>,
  bits: Uint16Array,
  type: 'BF16' | 'F16',
): CheckpointTensor => ({
  ...tensor,
  bits,
  get data() {
    return toFloat32(new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength), type);
  },
});

/** The tensors with their values, each checked while the disk already reads the next. */
async function* valuesOf(
  tensors: Iterable<[string, StoredWeight]>,
  keepBits: boolean,
): AsyncGenerator<[string, StoredWeight, Values]> {
  const rest = [...tensors];
  const read = (tensor: StoredTensor): Promise<Values> =>
    keepBits && tensor.readBits ? tensor.readBits() : tensor.read();
  let next = rest[0] && read(rest[0][1]);
  try {
    for (const [i, [name, stored]] of rest.entries()) {
      const data = await (next as Promise<Values>);
      next = rest[i + 1] && read(rest[i + 1][1]);
      yield [name, stored, data];
    }
  } finally {
    // A read that is under way must not outlive its file.
    await next?.catch(() => undefined);
  }
}

/**
 * Loads a checkpoint folder: Hugging Face `mamba`, `mamba2` and `diffmamba`, official state-spaces, or Statescope's own
 * format (equations B, B7). Every weight becomes float32, unless 16 bits are to be kept; bf16 and fp16 are converted as they are
 * read, so memory is four bytes per parameter plus two tensors. Values that are not converted stay in the memory that they were
 * read into: of 16 bits that are kept, two bytes per parameter and one tensor.
 * @param name what to call it; the folder's own name by default
 * @throws InputError for missing or broken files, unsupported architectures, tensors that do not fit, and NaN or Inf
 */
export async function loadCheckpoint(
  folder: string,
  name = basename(resolve(folder)),
  { onProgress, keepBits = false }: LoadOptions = {},
): Promise<Checkpoint> {
  const open = await openCheckpoint(folder);
  try {
    const tensors = new Map<string, CheckpointTensor>();
    const { twin } = open;
    const embedding = open.tensors.get(EMBEDDING);
    const apart = twin && embedding && !(await agree(twin, embedding, piecesOf(elements(twin.shape))));
    const stored = apart ? new Map([...open.tensors, [HEAD, twin]]) : open.tensors;
    const total = open.parameterCount + (apart ? elements(twin.shape) : 0);
    const config = apart ? { ...open.config, tied: false } : open.config;
    const warnings = apart ? [...open.warnings, headIsUsed(name)] : open.warnings;
    let parameters = 0;
    for await (const [canonical, { name: sourceName, shape, dtype }, data] of valuesOf(stored, keepBits)) {
      const half = dtype === 'float16' ? 'F16' : 'BF16';
      if (!(data instanceof Uint16Array ? allFinite16(data, half) : allFinite(data))) {
        throw new InputError(
          `${name}: the tensor ${sourceName} holds NaN or infinite values; the checkpoint is damaged.`,
        );
      }
      const tensor = { sourceName, shape, dtype };
      tensors.set(canonical, data instanceof Uint16Array ? keptIn16(tensor, data, half) : { ...tensor, data });
      parameters += data.length;
      onProgress?.(parameters, total);
    }
    const tokenizerPath = join(folder, 'tokenizer.json');
    return {
      path: resolve(folder),
      name,
      config: await withTokenizer(config, tokenizerPath),
      tensors,
      parameterCount: total,
      ...(warnings.length > 0 && { warnings }),
      ...(existsSync(tokenizerPath) && { tokenizerPath }),
    };
  } finally {
    await open.close();
  }
}
