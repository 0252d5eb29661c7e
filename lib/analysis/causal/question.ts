import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';

/** What a request is checked against: no weights. */
export type Outline = Pick<Model, 'config' | 'name'>;

/** What is read from the logits: one token, or one against another. */
export interface Question {
  readonly target: number;
  /** The wrong answer that it is held against; without one the logit of the target alone is read. */
  readonly foil?: number;
}

/** What every test of one prompt is asked with. */
export interface PromptQuestion extends Question {
  readonly tokens: readonly number[];
  /** That is read; negative numbers count from the end. Default −1. */
  readonly position?: number;
  /** Bytes beside the weights; default 1 GiB. */
  readonly memory?: number;
}

export type Metric = 'logit_difference' | 'target_logit';

export const metricOf = ({ foil }: Question): Metric => (foil === undefined ? 'target_logit' : 'logit_difference');

/** z_target − z_foil, or z_target without a foil. */
export const measure = (logits: Float32Array, { target, foil }: Question): number =>
  logits[target] - (foil === undefined ? 0 : logits[foil]);

/** The tokens' logits of row r of [rows,V], without those of padding. */
export const rowOf = (logits: Float32Array, { config: { V, vocabulary } }: Pick<Outline, 'config'>, r: number) =>
  logits.subarray(r * V, r * V + vocabulary);

/** @throws InputError where a token is not in the vocabulary. */
export function requireQuestion({ config, name }: Outline, { target, foil }: Question): void {
  for (const id of foil === undefined ? [target] : [target, foil])
    if (!Number.isInteger(id) || id < 0 || id >= config.vocabulary)
      throw new InputError(
        `Token id ${id} is outside the vocabulary of ${name}: ids go from 0 to ${config.vocabulary - 1}.`,
      );
  if (target === foil) throw new InputError('The target and the foil are the same token: choose another foil.');
}

/** A position of a prompt; −1 is the last. @throws InputError */
export function positionOf(position: number, length: number, what = 'prompt'): number {
  const at = position < 0 ? length + position : position;
  if (Number.isInteger(at) && at >= 0 && at < length) return at;
  throw new InputError(`There is no position ${position}: the ${what} has ${length} tokens.`);
}

/** Layers of a model, all where none are named. @throws InputError */
export function layersOf({ config }: Pick<Outline, 'config'>, layers?: readonly number[]): number[] {
  const count = config.blocks.length;
  const missing = layers?.find((layer) => !Number.isInteger(layer) || layer < 0 || layer >= count);
  if (missing !== undefined)
    throw new InputError(`There is no layer ${missing}: the layers of this model go from 0 to ${count - 1}.`);
  return layers ? [...new Set(layers)].sort((a, b) => a - b) : Array.from({ length: count }, (_, i) => i);
}
