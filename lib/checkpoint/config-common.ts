/** What the readers of all config formats share. */

import type { Fields } from './json';
import { blockPrefix, EMBEDDING, HEAD, UNPADDED } from './names';
import { InputError, type ModelConfig } from './types';

/** Shapes of the stored tensors by canonical name: they decide where a config is silent. */
export type StoredShapes = ReadonlyMap<string, readonly number[]>;

/** What a config reader gets to see. */
export interface ConfigInput {
  readonly fields: Fields;
  readonly shapes: StoredShapes;
}

/** λ_init of block i, counted from 0 (equations A4). */
export const defaultLambdaInit = (i: number): number => 0.8 - 0.6 * Math.exp(-0.3 * i);

/** No model has as many; a config that says more would only fill the memory with blocks before it is refused. */
const MOST_BLOCKS = 10_000;

/** The number of blocks. @throws InputError beyond 10,000 */
export function blockCount(fields: Fields, field: string, missing?: number): number {
  const n = fields.size(field, missing);
  if (n > MOST_BLOCKS) throw fields.fail(field, `a whole number from 1 to ${MOST_BLOCKS}`);
  return n;
}

/** R of Mamba-1: "auto" (or nothing) is ceil(d / 16). */
export function timeStepRank(fields: Fields, field: string, d: number): number {
  return fields.raw(field) === 'auto' ? Math.ceil(d / 16) : fields.size(field, Math.ceil(d / 16));
}

/** E = ⌊expand · d⌋, as the Python classes round a fraction. @throws InputError where nothing is left */
export function innerWidth(fields: Fields, expand: number, d: number): number {
  const E = Math.floor(expand * d);
  if (!Number.isSafeInteger(E) || E < 1) throw fields.fail('expand', `a number that makes expand × ${d} at least 1`);
  return E;
}

/** The `expand` that `innerWidth` reads back as E: E / d, or its neighbour where the product falls short by rounding. */
export function expandOf(E: number, d: number): number {
  const ratio = E / d;
  return Math.floor(ratio * d) === E ? ratio : ratio * (1 + Number.EPSILON);
}

/** H = E / P. @throws InputError unless P divides E and G divides H */
export function headCount(fields: Fields, E: number, P: number, G: number): number {
  if (E % P !== 0) {
    throw new InputError(`${fields.label}: the head dimension ${P} does not divide the inner width ${E}.`);
  }
  const H = E / P;
  if (H % G !== 0) throw new InputError(`${fields.label}: ${G} groups do not divide ${H} heads.`);
  return H;
}

/**
 * V, the rows of the stored embedding, and how many of them are tokens: of `rows` that the config counts, those that it says
 * are not padding.
 * @throws InputError where fewer rows are stored
 */
export function vocabularyRows(
  { fields, shapes }: ConfigInput,
  rows: number,
  tokens = fields.size(UNPADDED, rows),
): Pick<ModelConfig, 'V' | 'vocabulary'> {
  const V = (shapes.get(EMBEDDING) ?? shapes.get(HEAD))?.[0] ?? rows;
  if (V < rows) {
    throw new InputError(
      `${fields.label}: vocab_size is ${rows} but the stored embedding has only ${V} rows; config and weights are not of the same model.`,
    );
  }
  return { V, vocabulary: Math.min(tokens, V) };
}

/** How a config is written that reads back to the same. */
export const vocabularyFields = ({ V, vocabulary }: ModelConfig) => ({
  vocab_size: V,
  ...(vocabulary < V && { [UNPADDED]: vocabulary }),
});

/** Tied unless said otherwise; where nothing is said, a head that is not stored can only be the embedding. */
export function isTied({ fields, shapes }: ConfigInput, field: string, classDefault: boolean): boolean {
  return fields.flag(field, classDefault || !shapes.has(HEAD));
}

/** The class default of `use_bias` differs between library versions, so a silent config asks the stored tensors. */
export function hasProjectionBias({ fields, shapes }: ConfigInput, field: string): boolean {
  const stored = ['mixer', 'mixer_1'].some((mixer) => shapes.has(`${blockPrefix(0)}${mixer}.in_proj.bias`));
  return fields.flag(field, stored);
}
