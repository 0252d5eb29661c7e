import { type Branch, isReduced } from '@/lib/vocabulary';
import type { RolloutMethod } from './readings';
import type { BlockSummary, Reduce } from './schemas';

/** Why a question has no answer, and what to ask instead. */
export interface Refused {
  readonly message: string;
  readonly hint?: string;
}

/** What is known of a block before anything is asked of it. */
export type AskedBlock = Pick<BlockSummary, 'kind' | 'branches' | 'heads' | 'channels'>;

/** Why a block has no such head or channel. */
export function refusedPart(
  { kind, heads, channels }: AskedBlock,
  layer: number,
  part: 'head' | 'channel',
  index: number,
): Refused | undefined {
  if (part === 'head' && heads === 0)
    return { message: `Layer ${layer} (${kind}) has no heads.`, hint: 'Choose a channel instead.' };
  const limit = part === 'head' ? heads : channels;
  if (index < limit) return undefined;
  return {
    message: `Layer ${layer} has ${limit} ${part}s; there is no ${part} ${index}.`,
    hint: `Numbers go from 0 to ${limit - 1}.`,
  };
}

/** Why a block's channels cannot be reduced so. */
export function refusedReduction(block: AskedBlock, layer: number, reduce: Reduce): Refused | undefined {
  const [part, index] = reduce.split(':');
  return part === 'head' || part === 'channel' ? refusedPart(block, layer, part, Number(index)) : undefined;
}

/** Why a block has no map of this branch and reduction. */
export function refusedView(block: AskedBlock, layer: number, branch: Branch, reduce: Reduce): Refused | undefined {
  const { kind, branches } = block;
  if (branches.includes(branch)) return refusedReduction(block, layer, reduce);
  if (branches.length === 0)
    return {
      message: `Layer ${layer} (${kind}) reads no other token, so it has no map.`,
      hint: 'Choose another layer.',
    };
  return {
    message: `Layer ${layer} (${kind}) has no branch ${branch}.`,
    hint: `Choose one of ${branches.join(', ')}.`,
  };
}

/**
 * Why layers cannot be multiplied so: a difference of two maps has rows whose sum may be of either sign or nearly nothing,
 * so what is left after dividing by it says more about the sum than about the row; and the published code of the
 * attribution knows blocks with one scan.
 */
export function refusedRollout(
  blocks: readonly { readonly branches: readonly Branch[] }[],
  { method, start }: { readonly method: RolloutMethod; readonly start: number },
): Refused | undefined {
  const beside = blocks.findIndex(({ branches }, k) => k >= start && branches.includes('attention'));
  if (beside >= 0 && (isReduced(method) || method === 'attribution_code'))
    return {
      message: `Layer ${beside} has attention beside a scan, whose maps have no common scale: take norm or alti, which have one.`,
    };
  if (method !== 'normalised' && method !== 'attribution_code') return undefined;
  const layer = blocks.findIndex(({ branches }, k) => k >= start && branches.at(-1) === 'diff');
  if (layer < 0) return undefined;
  if (method === 'attribution_code')
    return {
      message: `Layer ${layer} has two scans, and the published code of the attribution knows blocks of one: take attribution, or norm, or start behind the last differential layer.`,
    };
  return {
    message: `Layer ${layer} is a difference of two maps, whose rows have no sum to divide by: take norm, or the plain rollout, or start behind the last differential layer.`,
  };
}
