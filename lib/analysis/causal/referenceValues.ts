import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { type Captured, keeping, STEP } from './continuation';

export const METHODS = ['zero', 'mean', 'resample'] as const;

export type Method = (typeof METHODS)[number];

/** Where `mean` and `resample` take their values: prompts, or the prompt that is asked about itself. */
export type Reference = 'self' | readonly (readonly number[])[];

/** What a result says of its reference. */
export interface ReferenceUsed {
  readonly source: 'self' | 'prompts';
  /** Prompts that were taken. */
  readonly prompts: number;
  /** Prompts that do not reach back as far as the prompt does, and were left out. */
  readonly left_out: number;
}

/** A reference, checked against the prompt. */
export interface ReferencePlan extends ReferenceUsed {
  readonly method: Exclude<Method, 'zero'>;
  /** Tokens up to the one that stands for the position that is read: their last. */
  readonly rows: readonly (readonly number[])[];
  /** Tokens of the prompt up to the position that is read. */
  readonly L: number;
}

/** What a plan comes to in a result; null where nothing is referred to. */
export const usedOf = (plan: ReferencePlan | undefined): ReferenceUsed | null =>
  plan ? { source: plan.source, prompts: plan.prompts, left_out: plan.left_out } : null;

/**
 * Prompts that are at least as long as the prompt up to the position that is read, so that each of its tokens has one at
 * its distance from the end in all of them.
 * @param tokens of the prompt up to that position
 * @throws InputError where a reference is missing, is not used, or holds no prompt that is long enough.
 */
export function referencePlan(
  method: Method,
  reference: Reference | undefined,
  tokens: readonly number[],
  vocabulary: number,
): ReferencePlan | undefined {
  if (method === 'zero') {
    if (reference) throw new InputError('zero takes nothing from a reference: leave it out, or choose mean.');
    return undefined;
  }
  if (!reference)
    throw new InputError(
      `${method} takes its values from other prompts: give them as the reference, or "self" for the prompt itself.`,
    );
  const L = tokens.length;
  if (reference === 'self') return { method, source: 'self', prompts: 1, left_out: 0, rows: [tokens], L };
  if (reference.some((row) => row.length === 0))
    throw new InputError('A reference prompt has no tokens: leave it out.');
  const stray = reference.flat().find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (stray !== undefined)
    throw new InputError(`Token id ${stray} of a reference prompt is outside the vocabulary of the model.`);
  const rows = reference.filter((row) => row.length >= L);
  if (rows.length > 0)
    return { method, source: 'prompts', prompts: rows.length, left_out: reference.length - rows.length, rows, L };
  const longest = Math.max(0, ...reference.map((row) => row.length));
  throw new InputError(
    `The longest reference prompt has ${longest} tokens and this one ${L} up to the position that is read: give longer ones.`,
  );
}

/** Blocks of all reference prompts up to this layer. */
export const referenceBlocks = (plan: ReferencePlan | undefined, lastLayer: number): number =>
  plan ? plan.rows.length * (lastLayer + 1) : 0;

/** Tokens of the longest prompt that is run, of L of its own. */
export const longestOf = (plan: ReferencePlan | undefined, L: number): number =>
  Math.max(L, ...(plan?.rows ?? []).map((row) => row.length));

/** Values that are held for a plan beside the model, for widths of hook points up to `width`. */
export const referenceSize = (plan: ReferencePlan | undefined, d: number, width: number): number =>
  plan ? plan.rows.reduce((sum, row) => sum + row.length * d, 0) + 4 * plan.L * width : 0;

/** What hook points are replaced by, given a name and the width of its last axis: [1,1,W] or [1,L,W]. */
export type Replacements = (name: string, width: number) => tf.Tensor;

/** Nothing. */
export const zeros: Replacements = (_, width) => tf.zeros([1, 1, width]);

/**
 * The reference prompts, run side by side one block after the other; layers are asked for in ascending order.
 *
 * - `mean` [1,L,W]: for each token the mean over the prompts of what the token as far from the end had;
 * - `resample` [1,L,W]: what the tokens of one prompt had, drawn anew for each layer, the same for all its points;
 * - of the prompt itself: the mean over all its tokens [1,1,W], or for each token the row of a random one [1,L,W].
 *
 * Yields after every block of every prompt. Cost: each prompt's blocks once. Memory: one residual stream a prompt.
 */
export class ReferenceRuns {
  readonly #streams: (Captured | undefined)[];
  #next = 0;

  constructor(
    private readonly model: Model,
    private readonly plan: ReferencePlan,
    private readonly seed = 0,
  ) {
    this.#streams = plan.rows.map(() => undefined);
  }

  *at(layer: number, names: readonly string[]): Generator<typeof STEP, Replacements, void> {
    const { method, source, rows, L } = this.plan;
    const random = new Random(this.seed + layer * 0x9e3779b1);
    const chosen = method === 'resample' && source === 'prompts' ? random.integer(0, rows.length - 1) : undefined;
    const sums = new Map<string, Float64Array>();
    for (; this.#next <= layer; this.#next++)
      for (const [k, row] of rows.entries()) {
        const wanted = this.#next === layer && (chosen ?? k) === k;
        for (const [name, { shape, data }] of this.#advance(k, row, wanted ? names : []))
          add(sums, name, data.subarray((row.length - L) * shape[2]));
        yield STEP;
      }
    const count = chosen === undefined ? rows.length : 1;
    const aligned = (name: string) => Float32Array.from(sums.get(name) as Float64Array, (sum) => sum / count);
    if (source === 'prompts') return (name, width) => tf.tensor3d(aligned(name), [1, L, width]);
    if (method === 'mean') return (name, width) => tf.tidy(() => meanOf(aligned(name), [L, width]));
    // One draw for all points of the block, so that two branches of a token stay together.
    const drawn = Array.from({ length: L }, () => random.integer(0, L - 1));
    return (name, width) =>
      tf.tidy(() => tf.gather(tf.tensor2d(aligned(name), [L, width]), drawn).expandDims(0) as tf.Tensor);
  }

  /** Runs the next block of one prompt; what it has at these points. */
  #advance(k: number, row: readonly number[], names: readonly string[]): Map<string, Captured> {
    const { model } = this;
    const { kept, keep } = keeping();
    const hooks = names.map((name): Hook => [name, keep]);
    const before = this.#streams[k];
    const start = before && tf.tensor3d(before.data, before.shape as [number, number, number]);
    const blocks = start ? model.blocksFrom(start, this.#next, hooks) : model.blocksOf([[...row]], hooks);
    try {
      const { value } = blocks.next() as { value: { residual: tf.Tensor3D } };
      const { residual } = value;
      this.#streams[k] = { shape: residual.shape, data: (residual.dataSync() as Float32Array).slice() };
    } finally {
      blocks.return(undefined as never);
      start?.dispose();
    }
    return kept;
  }
}

const meanOf = (values: Float32Array, shape: [number, number]): tf.Tensor =>
  tf.mean(tf.tensor2d(values, shape), 0).reshape([1, 1, shape[1]]);

function add(sums: Map<string, Float64Array>, name: string, values: Float32Array): void {
  const sum = sums.get(name) ?? new Float64Array(values.length);
  for (let k = 0; k < values.length; k++) sum[k] += values[k];
  sums.set(name, sum);
}
