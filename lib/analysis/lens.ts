import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import {
  type FinalRow,
  finalRow,
  LENS_STATISTICS,
  type LensStatistic,
  logSumExp,
  rowStatistics,
  topIds,
} from './lensStatistics';
import type { Residuals } from './residuals';

export { LENS_STATISTICS, type LensStatistic } from './lensStatistics';
export { type Residuals, residualsOf } from './residuals';

/** One layer's affine map of the tuned lens: h ↦ h + W h + b. */
export interface Translator {
  /** W [d,d], applied as h Wᵀ. */
  readonly weight: Float32Array;
  /** b [d] */
  readonly bias: Float32Array;
}

export interface LensRequest {
  /** One token id per batch row. */
  readonly targets: readonly number[];
  /** For `snr_candidates`: token ids, one list per batch row. */
  readonly candidates?: readonly (readonly number[])[];
  /** Positions to read, the same in every row; default all. */
  readonly positions?: readonly number[];
  /** How many of the strongest tokens to name; default none. */
  readonly topK?: number;
  /** Makes it a tuned lens: one translator per block. */
  readonly translators?: readonly Translator[];
}

export interface Lens {
  /** Labels of the first axis: `embedding` (logit lens only), `layer 0` …, `final`, the model's own output. */
  readonly entries: readonly string[];
  readonly B: number;
  readonly positions: readonly number[];
  /** Each [entries, B, positions]; `snr_candidates` is NaN without candidates. */
  readonly statistics: Readonly<Record<LensStatistic, Float64Array>>;
  /** Strongest tokens and their probabilities, each [entries, B, positions, k]. */
  readonly top?: { readonly k: number; readonly ids: Int32Array; readonly probabilities: Float64Array };
}

export interface LensProgress {
  readonly done: number;
  readonly total: number;
}

/** Values in one slab of logits; two slabs are alive at a time. */
const SLAB = 2 ** 23;

/**
 * Logit lens of every layer (spec D): logits = head(norm_f(h)) of the embedding and of each block's output, and the
 * model's own output; with translators, the tuned lens head(norm_f(h + W h + b)) of each block's output. Statistics and
 * definitions: {@link rowStatistics}.
 *
 * Works through slabs of positions, one layer at a time, and yields after each; never more than two slabs of logits exist.
 * Cost: (blocks + 2) unembeddings of all positions. Stop early with `return()`.
 * @throws InputError for targets, candidates or positions that do not fit.
 */
export function* lensSteps(
  model: Model,
  residuals: Residuals,
  request: LensRequest,
): Generator<LensProgress, Lens, void> {
  const { V } = model.config;
  const { translators } = request;
  checkRequest(model, residuals, request);
  const { B, L, streams } = residuals;
  const layers = streams.length - 1;
  const positions = request.positions ?? Array.from({ length: L }, (_, t) => t);
  const first = translators ? 1 : 0;
  const entries = entryLabels(layers).slice(first);
  const columns = B * positions.length;
  const store = createStore(entries.length, columns, request.topK ?? 0);
  const rows = Math.max(1, Math.min(columns, Math.floor(SLAB / V)));
  const total = Math.ceil(columns / rows) * entries.length;
  let done = 0;

  for (let start = 0; start < columns; start += rows) {
    const slab = Array.from({ length: Math.min(rows, columns - start) }, (_, k) => start + k);
    const place = (column: number) => ({
      row: Math.floor(column / positions.length),
      at: positions[column % positions.length],
    });
    const indices = slab.map((column) => place(column).row * L + place(column).at);
    const finals = split(logitsAt(model, gather(streams[layers], indices, model.config.d)), V).map(finalRow);
    const last = entries.length - 1;
    for (let entry = 0; entry <= last; entry++) {
      const stream = first + entry;
      const logits =
        entry === last || (stream === layers && !translators)
          ? finals.map((final) => final.logits)
          : split(logitsAt(model, gather(streams[stream], indices, model.config.d), translators?.[stream - 1]), V);
      slab.forEach((column, k) => {
        const { row } = place(column);
        store.put(entry, column, logits[k], request.targets[row], finals[k], request.candidates?.[row]);
      });
      done += 1;
      yield { done, total };
    }
  }
  return { entries, B, positions, ...store.result };
}

/** {@link lensSteps} in one go. */
export function lensOf(model: Model, residuals: Residuals, request: LensRequest): Lens {
  const steps = lensSteps(model, residuals, request);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** Labels of the logit lens of a model with this many blocks: "layer k" is the output of block k. */
export const entryLabels = (layers: number): string[] => [
  'embedding',
  ...Array.from({ length: layers }, (_, k) => `layer ${k}`),
  'final',
];

function createStore(entries: number, columns: number, k: number) {
  const statistics = Object.fromEntries(
    LENS_STATISTICS.map((name) => [name, new Float64Array(entries * columns)]),
  ) as Record<LensStatistic, Float64Array>;
  const ids = new Int32Array(entries * columns * k);
  const probabilities = new Float64Array(entries * columns * k);
  return {
    result: { statistics, ...(k > 0 && { top: { k, ids, probabilities } }) },
    put(
      entry: number,
      column: number,
      z: Float32Array,
      target: number,
      final: FinalRow,
      candidates?: readonly number[],
    ) {
      const at = entry * columns + column;
      const values = rowStatistics(z, target, final, candidates);
      for (const name of LENS_STATISTICS) statistics[name][at] = values[name];
      if (k === 0) return;
      const lse = logSumExp(z);
      topIds(z, k).forEach((id, place) => {
        ids[at * k + place] = id;
        probabilities[at * k + place] = Math.exp(z[id] - lse);
      });
    },
  };
}

/** Rows `indices` of a [rows, d] array. */
function gather(stream: Float32Array, indices: readonly number[], d: number): Float32Array {
  const slab = new Float32Array(indices.length * d);
  indices.forEach((index, k) => {
    slab.set(stream.subarray(index * d, (index + 1) * d), k * d);
  });
  return slab;
}

function logitsAt(model: Model, hidden: Float32Array, translator?: Translator): Float32Array {
  const { d } = model.config;
  const logits = tf.tidy(() => {
    const h = tf.tensor2d(hidden, [hidden.length / d, d]);
    const translated = translator
      ? h.add(tf.matMul(h, tf.tensor2d(translator.weight, [d, d]), false, true)).add(tf.tensor1d(translator.bias))
      : h;
    return model.unembed(translated.expandDims(0) as tf.Tensor3D);
  });
  const values = (logits.dataSync() as Float32Array).slice();
  logits.dispose();
  return values;
}

const split = (logits: Float32Array, V: number) =>
  Array.from({ length: logits.length / V }, (_, k) => logits.subarray(k * V, (k + 1) * V));

function checkRequest(
  { config, name }: Model,
  { B, L, streams }: Residuals,
  { targets, candidates, positions = [], topK = 0, translators }: LensRequest,
): void {
  if (targets.length !== B)
    throw new InputError(`The input has ${B} rows and ${targets.length} targets: give one target per row.`);
  if (candidates && candidates.length !== B)
    throw new InputError(`The input has ${B} rows and ${candidates.length} lists of candidates: give one per row.`);
  for (const id of [...targets, ...(candidates ?? []).flat()])
    if (!Number.isInteger(id) || id < 0 || id >= config.V)
      throw new InputError(`Token id ${id} is outside the vocabulary of ${name}: ids go from 0 to ${config.V - 1}.`);
  candidates?.forEach((list, row) => {
    if (new Set(list.filter((id) => id !== targets[row])).size < 2)
      throw new InputError(`Row ${row} needs at least two candidates besides its target ${targets[row]}.`);
  });
  for (const t of positions)
    if (!Number.isInteger(t) || t < 0 || t >= L)
      throw new InputError(`There is no position ${t}: the input has ${L} tokens, positions 0 to ${L - 1}.`);
  if (topK > config.V) throw new InputError(`The vocabulary has ${config.V} tokens; ${topK} of them cannot be named.`);
  if (translators && translators.length !== streams.length - 1)
    throw new InputError(
      `The tuned lens has ${translators.length} translators and ${name} has ${streams.length - 1} blocks: use the lens of this model.`,
    );
}
