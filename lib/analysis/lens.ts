import * as tf from '@tensorflow/tfjs';
import { type LensOptions, type LensValues, lensStatistics } from '@/kernels/ops';
import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { LENS_STATISTICS, type LensStatistic } from '@/lib/vocabulary';
import { type RowStatistics, rowStatistics, strongest } from './lensStatistics';
import type { Residuals } from './residuals';
import { drain, type Steps } from './steps';

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

/** Rows of logits per step: enough to pay for reading the head, well under a second of work at V = 50k. */
const STEP_ROWS = 600;

/**
 * Logit lens of every layer (equations D): logits = head(norm_f(h)) of the embedding and of each block's output, and
 * the model's own output; with translators, the tuned lens head(norm_f(h + W h + b)) of each block's output.
 * Definitions of the
 * statistics: {@link LENS_STATISTICS}.
 *
 * Works through the positions, all layers of some of them at a time, and yields after each step; logits stream by and are
 * never stored. Cost: (blocks + 1) unembeddings of all positions. Stop early with `return()`.
 * @throws InputError for targets, candidates or positions that do not fit, and where a logit is not finite.
 */
export function* lensSteps(model: Model, residuals: Residuals, request: LensRequest): Generator<Steps, Lens, void> {
  checkRequest(model, residuals, request);
  const { translators, targets, candidates } = request;
  const { B, L, streams } = residuals;
  const positions = request.positions ?? Array.from({ length: L }, (_, t) => t);
  // The last stream is the model's own; with translators the embedding has none and the last block is seen twice.
  const seen = translators ? [...streams.slice(1), streams[streams.length - 1]] : streams;
  const entries = entryLabels(streams.length - 1).slice(translators ? 1 : 0);
  const columns = B * positions.length;
  const ids = [...new Set([...targets, ...(candidates ?? []).flat()])];
  const store = createStore(entries.length, columns, request.topK ?? 0);
  const step = Math.max(1, Math.min(columns, Math.floor(STEP_ROWS / seen.length)));
  const total = Math.ceil(columns / step);
  const rowOf = (column: number) => Math.floor(column / positions.length);

  for (let done = 1; done <= total; done++) {
    const start = (done - 1) * step;
    const slab = Array.from({ length: Math.min(step, columns - start) }, (_, k) => start + k);
    const places = slab.map((column) => rowOf(column) * L + positions[column % positions.length]);
    const slots = slab.map((column) => ids.indexOf(targets[rowOf(column)]));
    const values = measure(model, seen, places, { ids, targets: slots, topK: request.topK, translators });
    entries.forEach((label, entry) => {
      const stream = Math.min(entry, seen.length - 1);
      slab.forEach((column, k) => {
        const row = rowOf(column);
        const found = rowStatistics(values, stream * slab.length + k, ids, targets[row], candidates?.[row]);
        if (!found)
          throw new InputError(
            `The logits of ${label} at position ${positions[column % positions.length]} of row ${row} are not finite: the weights of ${model.name} are damaged, or its numbers outgrow float32.`,
          );
        store.put(entry, column, found, values, stream * slab.length + k);
      });
    });
    yield { done, total };
  }
  return { entries, B, positions, ...store.result };
}

/** {@link lensSteps} in one go. */
export function lensOf(model: Model, residuals: Residuals, request: LensRequest): Lens {
  return drain(lensSteps(model, residuals, request));
}

/** Labels of the logit lens of a model with this many blocks: "layer k" is the output of block k. */
export const entryLabels = (layers: number): string[] => [
  'embedding',
  ...Array.from({ length: layers }, (_, k) => `layer ${k}`),
  'final',
];

function createStore(entries: number, columns: number, k: number) {
  const size = entries * columns;
  const statistics = Object.fromEntries(LENS_STATISTICS.map((name) => [name, new Float64Array(size)])) as Record<
    LensStatistic,
    Float64Array
  >;
  const top = { k, ids: new Int32Array(size * k), probabilities: new Float64Array(size * k) };
  return {
    result: { statistics, ...(k > 0 && { top }) },
    put(entry: number, column: number, found: RowStatistics, values: LensValues, row: number) {
      const at = entry * columns + column;
      for (const name of LENS_STATISTICS) statistics[name][at] = found[name];
      const named = strongest(values, row, k);
      top.ids.set(named.ids, at * k);
      top.probabilities.set(named.probabilities, at * k);
    },
  };
}

/** Statistics of the streams at `places` (rows of [B·L,d]); all streams but the last pass through their translator. */
function measure(
  model: Model,
  streams: readonly Float32Array[],
  places: readonly number[],
  { translators, ...options }: LensOptions & { readonly translators?: readonly Translator[] },
): LensValues {
  const { d } = model.config;
  const hidden = tf.tidy(() => {
    const rows = streams.map((stream, s) => {
      const h = tf.tensor2d(gather(stream, places, d), [places.length, d]);
      return translators && s < translators.length ? translate(h, translators[s]) : h;
    });
    return model.readout(tf.stack(rows) as tf.Tensor3D);
  });
  try {
    return lensStatistics({ hidden, head: model.head }, { ...options, vocabulary: model.config.vocabulary });
  } finally {
    hidden.dispose();
  }
}

/** h + W h + b of rows h [n,d]. */
const translate = (h: tf.Tensor2D, { weight, bias }: Translator): tf.Tensor2D =>
  h.add(tf.matMul(h, tf.tensor2d(weight, [bias.length, bias.length]), false, true)).add(tf.tensor1d(bias));

/** Rows `indices` of a [rows, d] array. */
function gather(stream: Float32Array, indices: readonly number[], d: number): Float32Array {
  const slab = new Float32Array(indices.length * d);
  indices.forEach((index, k) => {
    slab.set(stream.subarray(index * d, (index + 1) * d), k * d);
  });
  return slab;
}

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
    if (!Number.isInteger(id) || id < 0 || id >= config.vocabulary)
      throw new InputError(
        `Token id ${id} is outside the vocabulary of ${name}: ids go from 0 to ${config.vocabulary - 1}.`,
      );
  candidates?.forEach((list, row) => {
    if (new Set(list.filter((id) => id !== targets[row])).size < 2)
      throw new InputError(`Row ${row} needs at least two candidates besides its target ${targets[row]}.`);
  });
  for (const t of positions)
    if (!Number.isInteger(t) || t < 0 || t >= L)
      throw new InputError(`There is no position ${t}: the input has ${L} tokens, positions 0 to ${L - 1}.`);
  if (topK > config.vocabulary)
    throw new InputError(`The vocabulary has ${config.vocabulary} tokens; ${topK} of them cannot be named.`);
  if (translators && translators.length !== streams.length - 1)
    throw new InputError(
      `The tuned lens has ${translators.length} translators and ${name} has ${streams.length - 1} blocks: use the lens of this model.`,
    );
}
