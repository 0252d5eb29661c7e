import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '@/lib/checkpoint/types';
import { InputError } from '@/lib/input-error';
import { type Decoder, type DecodingState, disposeState, extend, silent } from '@/lib/models';
import { type Sampling, sampler } from './sampling';

/** What continuing a text needs of a model. */
type Writer = Decoder & { readonly config: Pick<ModelConfig, 'vocabulary'> };

export interface GenerateOptions {
  /** How many tokens to add to each row. */
  readonly maxNewTokens: number;
  readonly sampling?: Sampling;
  /** False: the whole text is run again for every token, without a state. Default true. */
  readonly cache?: boolean;
  /** Where the text goes on from; of as many rows as there are, and still the caller's. */
  readonly state?: DecodingState;
  /** Told after each token how many of them there are, of how many. */
  readonly onToken?: (done: number, total: number) => void;
}

export interface Generated {
  /** The added tokens, row by row. */
  readonly tokens: number[][];
  /** What the model remembers of the whole text, added tokens included; the caller's. Absent with `cache: false`. */
  readonly state?: DecodingState;
}

/** What is known after one more token of every row. */
export interface GenerationStep {
  readonly done: number;
  readonly total: number;
  /** The tokens that were added, one a row. */
  readonly chosen: readonly number[];
  /** The logits that they were picked from, a row each: of tokens only, not of padding; valid until the next step. */
  readonly logits: readonly Float32Array[];
}

/**
 * Continues rows of equal length, all in step. One token costs the same at any length of the text (with `cache: false`, a
 * forward pass over all of it), and memory stays flat.
 *
 * @throws InputError for rows of different lengths, and where a state is given but `cache` is false or it has other rows
 */
export function generate(model: Writer, rows: readonly (readonly number[])[], options: GenerateOptions): Generated {
  return toTheEnd(generationSteps(model, rows, options), options);
}

function toTheEnd(steps: Generator<GenerationStep, Generated, void>, { onToken }: GenerateOptions): Generated {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    onToken?.(step.value.done, step.value.total);
  }
}

/**
 * `generate` token by token: a step after each one. Stop early with `return()`, which frees the state.
 *
 * @param places the rows' places among all that are asked for, which give their random streams
 * @throws InputError as `generate`, with the first step
 */
export function* generationSteps(
  model: Writer,
  rows: readonly (readonly number[])[],
  options: Omit<GenerateOptions, 'onToken'>,
  places: readonly number[] = [...rows.keys()],
): Generator<GenerationStep, Generated, void> {
  const { maxNewTokens, sampling = {}, cache = true, state: start } = options;
  if (start && !cache)
    throw new InputError('A state holds no tokens that could be run again: go on from it with the cache.');
  const choose = places.map((place) => sampler(sampling, place));
  const tokens = rows.map((): number[] => []);
  let state = start;
  let logits: tf.Tensor3D | undefined;
  let finished = false;
  const read = (unread: readonly (readonly number[])[]): tf.Tensor3D => {
    logits?.dispose();
    if (!cache)
      return lastLogits(
        model,
        rows.map((row, i) => [...row, ...tokens[i]]),
      );
    const next = extend(model, unread, state);
    if (state && state !== start) disposeState(state);
    state = next.state;
    return next.logits;
  };
  try {
    logits = read(rows);
    for (let done = 1; done <= maxNewTokens; done++) {
      const values = logits.dataSync() as Float32Array;
      const V = values.length / rows.length;
      const given = rows.map((_, i) => values.subarray(i * V, i * V + model.config.vocabulary));
      const chosen = choose.map((pick, i) => pick(given[i]));
      for (const [i, id] of chosen.entries()) tokens[i].push(id);
      yield { done, total: maxNewTokens, chosen, logits: given };
      // The last token's logits are wanted by nobody, but its state is.
      if (cache || done < maxNewTokens) logits = read(tokens.map((row) => row.slice(-1)));
    }
    finished = true;
    return { tokens, state };
  } finally {
    logits?.dispose();
    if (!finished && state && state !== start) disposeState(state);
  }
}

/** `generate` for rows of any lengths, those of one length together; greedy or not, no row depends on the others. */
export function generateEach(
  model: Writer,
  rows: readonly (readonly number[])[],
  options: Omit<GenerateOptions, 'state'>,
): number[][] {
  const lengths = [...new Set(rows.map((row) => row.length))];
  const tokens: number[][] = [];
  lengths.forEach((length, index) => {
    const places = [...rows.keys()].filter((i) => rows[i].length === length);
    const onToken = (done: number, total: number) => options.onToken?.(index * total + done, lengths.length * total);
    const group = places.map((i) => rows[i]);
    const { tokens: added, state } = toTheEnd(generationSteps(model, group, options, places), { ...options, onToken });
    if (state) disposeState(state);
    places.forEach((i, j) => {
      tokens[i] = added[j];
    });
  });
  return tokens;
}

function lastLogits(model: Writer, rows: readonly (readonly number[])[]): tf.Tensor3D {
  return tf.tidy(() => {
    const ids = model.tokenTensor(rows);
    const h = model.residualStream(ids, silent);
    return model.unembed(h.slice([0, ids.shape[1] - 1, 0], [-1, 1, -1]));
  });
}
