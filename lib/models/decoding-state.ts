import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import { type Hook, listen, matcher } from './hooks';

/**
 * What a model remembers of the text so far: per mixer the last K−1 inputs of its convolution
 * (`blocks.0.conv` [B,K−1,channels]) and its SSM state (`blocks.0.mixer_1.ssm` [B,E,N], Mamba-2 [B,H,P,N]).
 * Attention keeps the keys and values of every token (`blocks.0.keys`, `blocks.0.values` [B,T,KV,D], shorter rows at the end)
 * and how many tokens each row has (`blocks.0.attended` [B]).
 * The tensors are the caller's: they may be read, saved, and replaced by others of the same shape.
 */
export interface DecodingState {
  /** Number of tokens behind it. */
  readonly position: number;
  readonly tensors: ReadonlyMap<string, tf.Tensor>;
}

export const disposeState = (state: DecodingState): void => {
  for (const value of state.tensors.values()) value.dispose();
};

/** A tensor of a file: what `writeSafetensors` takes and `readSafetensors` gives. */
export interface StateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** The name under which a file says how many tokens are behind the state. */
export const POSITION = 'position';

/** A state in the computer's memory, for a file: its tensors by their names, and `position`, int32 [1]. */
export function exportState({ position, tensors }: DecodingState): StateTensor[] {
  const values = [...tensors].map(([name, value]) => ({
    name,
    shape: value.shape,
    data: Float32Array.from(value.dataSync()),
  }));
  return [...values, { name: POSITION, shape: [1], data: Int32Array.of(position) }];
}

/**
 * A copy of a state in which tensors are replaced by what the edits return for them; names may have `*` wildcards
 * (`[['blocks.3.*.ssm', (S) => S.mul(0)]]` makes block 3 forget). Both states must be disposed of.
 *
 * @throws InputError where no tensor has such a name; an Error where an edit changes the shape
 */
export function editState({ position, tensors }: DecodingState, edits: readonly Hook[]): DecodingState {
  for (const [pattern] of edits)
    if (![...tensors.keys()].some(matcher(pattern)))
      throw new InputError(`The state has no tensor ${pattern}: its tensors are ${[...tensors.keys()].join(', ')}.`);
  const tap = listen(edits);
  const edited = [...tensors].map(([name, value]) => [name, tf.tidy(() => tap.at(name, value).clone())] as const);
  return { position, tensors: new Map(edited) };
}

/** Names of tensors that have a row for every token of the text, on their second axis. */
export const GROWS = /\.(?:keys|values)$/;

/** Zeros before the tokens of shorter texts, which their row's own count says are none. */
function equallyLong(name: string, parts: readonly tf.Tensor[]): tf.Tensor[] {
  if (!GROWS.test(name)) return [...parts];
  const longest = Math.max(...parts.map(({ shape }) => shape[1] as number));
  return parts.map((part) => part.pad(part.shape.map((size, axis) => (axis === 1 ? [longest - size, 0] : [0, 0]))));
}

/**
 * The states of texts that were read one by one, as one of all their rows. `position` is that of the longest: rows need not have read
 * equally many tokens. The given states stay valid; the joined one is the caller's.
 */
export function joinStates(states: readonly DecodingState[]): DecodingState {
  const [first] = states;
  const tensors = [...first.tensors.keys()].map((name) => {
    const parts = states.map((state) => state.tensors.get(name) as tf.Tensor);
    return [
      name,
      parts.length === 1 ? parts[0].clone() : tf.tidy(() => tf.concat(equallyLong(name, parts), 0)),
    ] as const;
  });
  return { position: Math.max(...states.map(({ position }) => position)), tensors: new Map(tensors) };
}
