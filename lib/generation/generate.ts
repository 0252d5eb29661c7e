import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import { type Decoder, type DecodingState, disposeState, extend, silent } from '@/lib/models';
import { type Sampling, sampler } from './sampling';

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

/**
 * Continues rows of equal length, all in step. One token costs the same at any length of the text (with `cache: false`, a
 * forward pass over all of it), and memory stays flat.
 *
 * @throws InputError for rows of different lengths, and where a state is given but `cache` is false or it has other rows
 */
export function generate(model: Decoder, rows: readonly (readonly number[])[], options: GenerateOptions): Generated {
  return generateAt(model, rows, [...rows.keys()], options);
}

/** @param places the rows' places among all that are asked for, which give their random streams */
function generateAt(
  model: Decoder,
  rows: readonly (readonly number[])[],
  places: readonly number[],
  options: GenerateOptions,
): Generated {
  const { maxNewTokens, sampling = {}, cache = true, state: start, onToken } = options;
  if (start && !cache)
    throw new InputError('A state holds no tokens that could be run again: go on from it with the cache.');
  const choose = places.map((place) => sampler(sampling, place));
  const tokens = rows.map((): number[] => []);
  let state = start;
  const read = (unread: readonly (readonly number[])[]): tf.Tensor3D => {
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
    let logits = read(rows);
    for (let done = 1; done <= maxNewTokens; done++) {
      const values = logits.dataSync() as Float32Array;
      const V = values.length / rows.length;
      tokens.forEach((row, i) => {
        row.push(choose[i](values.subarray(i * V, (i + 1) * V)));
      });
      onToken?.(done, maxNewTokens);
      logits.dispose();
      // The last token's logits are wanted by nobody, but its state is.
      if (cache || done < maxNewTokens) logits = read(tokens.map((row) => row.slice(-1)));
    }
    logits.dispose();
  } catch (error) {
    if (state && state !== start) disposeState(state);
    throw error;
  }
  return { tokens, state };
}

/** `generate` for rows of any lengths, those of one length together; greedy or not, no row depends on the others. */
export function generateEach(
  model: Decoder,
  rows: readonly (readonly number[])[],
  options: Omit<GenerateOptions, 'state'>,
): number[][] {
  const lengths = [...new Set(rows.map((row) => row.length))];
  const tokens: number[][] = [];
  lengths.forEach((length, index) => {
    const places = [...rows.keys()].filter((i) => rows[i].length === length);
    const onToken = (done: number, total: number) => options.onToken?.(index * total + done, lengths.length * total);
    const group = places.map((i) => rows[i]);
    const { tokens: added, state } = generateAt(model, group, places, { ...options, onToken });
    if (state) disposeState(state);
    places.forEach((i, j) => {
      tokens[i] = added[j];
    });
  });
  return tokens;
}

function lastLogits(model: Decoder, rows: readonly (readonly number[])[]): tf.Tensor3D {
  return tf.tidy(() => {
    const ids = model.tokenTensor(rows);
    const h = model.residualStream(ids, silent);
    return model.unembed(h.slice([0, ids.shape[1] - 1, 0], [-1, 1, -1]));
  });
}
