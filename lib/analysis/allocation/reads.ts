import type { Model } from '@/lib/models';
import { branchTerms } from '../causal/branchTerms';
import type { Baseline } from '../causal/continuation';
import { countsOf } from './classes';
import { type BranchMasses, commonOf, massesOf, type PartMasses } from './masses';

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

/**
 * The block as the exact operator on its input, at one row: what every source token adds to the residual stream there, summed by
 * class. Gates and every 1/rms stay as they were; biases belong to no token.
 * @param pass residual streams up to the token that is read
 * @param classes [L], of the tokens up to the one that is read
 * @param direction of the metric, [d]
 */
export function readsOf(
  model: Model,
  pass: Pick<Baseline, 'streams' | 'L'>,
  layer: number,
  classes: Uint8Array,
  direction: Float64Array,
): LayerReads {
  const { first, second, reconstructionError } = branchTerms(model, pass, layer);
  const { d, blocks } = model.config;
  const own = { layer, kind: blocks[layer].kind, counts: countsOf(classes), reconstructionError };
  if (!second) return { ...own, net: massesOf(first, classes, direction) };
  const net = first.map((value, at) => value - second[at]);
  return {
    ...own,
    net: massesOf(net, classes, direction),
    branches: {
      first: massesOf(first, classes, direction),
      second: massesOf(second, classes, direction),
      common: commonOf(first, second, classes, d),
    },
  };
}
