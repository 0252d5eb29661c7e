import type { z } from 'zod';
import type { WireTensor } from '@/lib/safetensors';
import { LENS_STATISTICS, type LensStatistic } from '@/lib/vocabulary';
import type { JsonRead, READINGS, ReadingName } from './readings';

/** What readings that are answered with tensors hold. Only types come from the schemas: the page's first load has none. */

/** The tensors of a safetensors body, by name. */
type Tensors = ReadonlyMap<string, WireTensor>;

/** `__metadata__` of the file, whose values are strings, as safetensors requires. */
type Written = Readonly<Record<string, string>>;

type Reply<N extends ReadingName> = (typeof READINGS)[N]['reply'];

/** Readings that are answered with tensors. */
type TensorsName = { [N in ReadingName]: Reply<N>['kind'] extends 'tensors' ? N : never }[ReadingName];

/** What `__metadata__` of a reading says. */
type Metadata<N extends TensorsName> =
  Reply<N> extends { readonly metadata: infer M extends z.ZodType } ? z.output<M> : never;

const asWritten = <T extends string>(text: string) => text as T;
const list = (text: string) => text.split(',');
const numbers = (text: string) => list(text).map(Number);

/** How each value that may stand in `__metadata__` is read. */
const METADATA: {
  readonly [N in TensorsName]: { readonly [K in keyof Metadata<N>]-?: (text: string) => Metadata<N>[K] };
} = {
  map: {
    form: asWritten,
    reduce: asWritten,
    branch: asWritten,
    convention: asWritten,
    reconstruction_error: Number,
    max_abs: Number,
    ms: Number,
    memory_bytes: Number,
  },
  channels: { unit: asWritten, branches: list, ms: Number },
  tracks: { unit: asWritten, units: asWritten, branches: list, ms: Number },
  rollout: { method: asWritten, convention: asWritten, max_abs: Number, ms: Number, memory_bytes: Number },
  thumbnails: { form: asWritten, reduce: asWritten, first: Number, layers: Number, size: Number },
  lens: { lens: asWritten, entries: list, target: Number, positions: numbers, length: Number },
};

/** What the file says beside its tensors. */
function metadataOf<N extends TensorsName>(name: N, written: Written): Metadata<N> {
  const readers = Object.entries<(text: string) => unknown>(METADATA[name]);
  return Object.fromEntries(
    readers.flatMap(([key, read]) => (written[key] === undefined ? [] : [[key, read(written[key])]])),
  ) as Metadata<N>;
}

function need(tensors: Tensors, name: string): WireTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`The server's answer lacks the tensor ${name}.`);
  return tensor;
}

/** A [L, L] map over all layers. */
interface Rollout {
  readonly L: number;
  readonly data: Float32Array;
  readonly metadata: Metadata<'rollout'>;
}

/** A [L, L] map: rows are destinations i, columns are sources j, zero for j > i. */
export interface AttentionMap {
  readonly L: number;
  readonly data: Float32Array;
  /** Bias terms that belong to no source [L], where the form has them. */
  readonly rest?: Float32Array;
  readonly metadata: Metadata<'map'>;
}

const square = (tensors: Tensors) => {
  const { shape, data } = need(tensors, 'map');
  return { L: shape[0], data: data as Float32Array };
};

/** Statistics by `branch.statistic` [units], and Δ by `branch.delta` [L, units]; or tracks by `branch.track` [L]. */
interface NamedValues<N extends 'channels' | 'tracks'> {
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly metadata: Metadata<N>;
}

export type Channels = NamedValues<'channels'>;
export type Tracks = NamedValues<'tracks'>;

const namedValues =
  <N extends 'channels' | 'tracks'>(name: N) =>
  (tensors: Tensors, written: Written): NamedValues<N> => ({
    values: new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array])),
    metadata: metadataOf(name, written),
  });

/** Thumbnails of finished layers, each `size` × `size`, one after the other. */
export interface Thumbnails {
  readonly size: number;
  /** From `metadata.first` on. */
  readonly layers: readonly Float32Array[];
  readonly metadata: Metadata<'thumbnails'>;
}

function thumbnailsOf(tensors: Tensors, written: Written): Thumbnails {
  const { shape, data } = need(tensors, 'thumbnails');
  const [layers, size] = shape;
  const one = (i: number) => (data as Float32Array).subarray(i * size * size, (i + 1) * size * size);
  return {
    size,
    layers: Array.from({ length: layers }, (_, i) => one(i)),
    metadata: metadataOf('thumbnails', written),
  };
}

/** Lens statistics, index `entry * L + position`; top tokens, index `(entry * L + position) * k + rank`. NaN, and 0, at positions that were not asked for. */
export interface Lens {
  readonly entries: readonly string[];
  readonly L: number;
  readonly k: number;
  readonly topIds: Int32Array;
  readonly topProbs: Float32Array;
  readonly statistics: Readonly<Partial<Record<LensStatistic, Float32Array>>>;
  readonly metadata: Metadata<'lens'>;
}

function lensOf(tensors: Tensors, written: Written): Lens {
  const metadata = metadataOf('lens', written);
  const ids = need(tensors, 'top_ids');
  const [, columns, k] = ids.shape;
  const { entries, positions, length: L = columns } = metadata;
  const spread = <T extends Float32Array | Int32Array>(data: T, width: number, into: T): T => {
    if (!positions) return data;
    for (let e = 0; e < entries.length; e++)
      positions.forEach((position, column) => {
        const from = (e * columns + column) * width;
        into.set(data.subarray(from, from + width), (e * L + position) * width);
      });
    return into;
  };
  const empty = (width: number) => new Float32Array(entries.length * L * width).fill(Number.NaN);
  const statistics = Object.fromEntries(
    LENS_STATISTICS.flatMap((name) => {
      const found = tensors.get(name);
      return found ? [[name, spread(found.data as Float32Array, 1, empty(1))]] : [];
    }),
  );
  const topProbs = spread(need(tensors, 'top_probs').data as Float32Array, k, empty(k));
  const topIds = spread(ids.data as Int32Array, k, new Int32Array(entries.length * L * k));
  return { entries, L, k, topIds, topProbs, statistics, metadata };
}

/** What a client hands over of each body of tensors; matrices are views of it. The rest is answered with JSON. */
export const BODIES = {
  map: (tensors: Tensors, written: Written): AttentionMap => ({
    ...square(tensors),
    rest: tensors.get('rest')?.data as Float32Array | undefined,
    metadata: metadataOf('map', written),
  }),
  channels: namedValues('channels'),
  tracks: namedValues('tracks'),
  rollout: (tensors: Tensors, written: Written): Rollout => ({
    ...square(tensors),
    metadata: metadataOf('rollout', written),
  }),
  thumbnails: thumbnailsOf,
  lens: lensOf,
} as const satisfies { readonly [N in TensorsName]: (tensors: Tensors, written: Written) => unknown };

/** What the client hands over of a reading. */
export type Read<N extends ReadingName> = N extends TensorsName ? ReturnType<(typeof BODIES)[N]> : JsonRead<N>;
