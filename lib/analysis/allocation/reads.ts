import type { Model } from '@/lib/models';
import { CONTEXT_CLASSES } from '@/lib/vocabulary';
import { type BranchTensors, branchTensors } from '../causal/branchTerms';
import { seenIn } from '../causal/keptBlock';
import type { Seen } from '../causal/sourceTerms';
import type { BlockCache } from '../s6Inputs';
import { tidied } from '../tidied';
import { CLASS, countsOf } from './classes';
import {
  type BranchMasses,
  commonOf,
  massesOf,
  type PartMasses,
  type Parts,
  readAlong,
  type UnreadMasses,
} from './masses';

export type PartReads = PartMasses;

/** What one block reads at the token that is read, by class of token. */
export interface LayerReads {
  readonly layer: number;
  readonly kind: string;
  /** Tokens of each class. */
  readonly counts: Float64Array;
  readonly net: PartReads;
  /** Of a differential block: branch 1 and λ · branch 2, with the scale that both have in the block. */
  readonly branches?: { readonly first: PartReads; readonly second: PartReads; readonly common: BranchMasses };
  /** ‖Σ_j c_j + biases − output‖ / ‖output‖ */
  readonly reconstructionError: number;
}

/** What a block reads before the end of the pass says what the metric reads of it. */
export interface UnreadLayer extends Omit<LayerReads, 'net' | 'branches'> {
  readonly net: UnreadMasses;
  readonly branches?: { readonly first: UnreadMasses; readonly second: UnreadMasses; readonly common: BranchMasses };
}

/**
 * The block as the exact operator on its input, at one row: what every source token adds to the residual stream there, summed by
 * class. Gates and every 1/rms stay as they were; biases belong to no token.
 * @param seen the points of `branchNames`, up to the token that is read
 * @param classes [L], of the tokens up to the one that is read
 */
export const readsOf = (model: Model, seen: Seen, layer: number, classes: Uint8Array): UnreadLayer =>
  tidied(() => {
    const { kind } = model.config.blocks[layer];
    return readsOfTerms({ layer, kind, ...branchTensors(model, layer, seen) }, classes);
  });

/** What {@link readsOfTerms} is made of. */
export interface LayerTerms extends Omit<BranchTensors, 'lambda'> {
  readonly layer: number;
  readonly kind: string;
}

/** {@link readsOf} of terms that are known: what source tokens add at the one that is read, [L,d] a branch. */
export function readsOfTerms({ layer, kind, first, second, output }: LayerTerms, classes: Uint8Array): UnreadLayer {
  return tidied(() => {
    const own = { layer, kind, counts: countsOf(classes) };
    const one = massesOf(first.sources, classes);
    if (!second) return { ...own, net: one.masses, reconstructionError: errorOf(one, [first.free], output) };
    const two = massesOf(second.sources, classes);
    const net = massesOf(first.sources.sub(second.sources), classes);
    return {
      ...own,
      net: net.masses,
      branches: {
        first: one.masses,
        second: two.masses,
        common: commonOf([one.squares, two.squares, net.squares], classes),
      },
      reconstructionError: errorOf(net, [first.free, second.free?.map((value) => -value)], output),
    };
  });
}

/** {@link readsOf} of a block as a forward pass left it: no block is run again. */
export const keptReads = (model: Model, block: BlockCache, classes: Uint8Array): UnreadLayer =>
  tidied(() => readsOf(model, seenIn(model, block, classes.length), block.index, classes));

/** ‖Σ_j c_j + free − output‖ / ‖output‖ */
function errorOf(
  { masses: { sums } }: Parts,
  free: readonly (Float32Array | undefined)[],
  output: Float32Array,
): number {
  const d = output.length;
  let [error, size] = [0, 0];
  for (let c = 0; c < d; c++) {
    let missing = -output[c];
    for (let at = c; at < sums.length; at += d) missing += sums[at];
    for (const each of free) missing += each?.[c] ?? 0;
    error += missing ** 2;
    size += output[c] ** 2;
  }
  return Math.sqrt(size === 0 ? error : error / size);
}

/** The needle's part of what is read of the context, by norms; NaN where none is. */
export function needleAgainstContext({ net: { norm } }: { readonly net: Pick<UnreadMasses, 'norm'> }): number {
  return norm[CLASS.needle] / CONTEXT_CLASSES.reduce((sum, name) => sum + norm[CLASS[name]], 0);
}

/** @param direction of the metric, [d] */
export function answered({ net, branches, ...own }: UnreadLayer, direction: Float64Array): LayerReads {
  const read = (masses: UnreadMasses) => readAlong(masses, direction);
  if (!branches) return { ...own, net: read(net) };
  const { first, second, common } = branches;
  return { ...own, net: read(net), branches: { first: read(first), second: read(second), common } };
}
