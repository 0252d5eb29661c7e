import { type BlockCache, branchesOf as exactBranches } from '@/lib/analysis/s6Attention';
import { type Refused, refusedView } from '@/lib/api/refusals';
import type { BlockSummary, Reduce } from '@/lib/api/schemas';
import { ARCHITECTURES } from '@/lib/architectures';
import { hookPointsOf, memoryOf } from '@/lib/architectures/places';
import { type BlockConfig, isDifferential } from '@/lib/checkpoint';
import { type Branch, MIXERS, PATCH_POINTS } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { ModelRecord } from '../runs/record';

/**
 * The maps that a block has; the last one is shown by default. With one λ per output channel there is no
 * difference of S6 maps.
 */
export function branchesOf(block: BlockConfig): Branch[] {
  const all = exactBranches(block.kind);
  if (!isDifferential(block) || block.lambda !== 'sigmoid_channel') return [...all];
  return all.filter((branch) => branch !== 'lambda_mixer_2' && branch !== 'diff');
}

/** Branches of the forms that are exact as operators, where one λ per channel does not stand in the way of a difference. */
export const contributionBranches = ({ kind }: BlockConfig): readonly Branch[] => exactBranches(kind);

export const defaultBranch = (block: BlockConfig): Branch => branchesOf(block).at(-1) as Branch;

/** What patching can carry over in a block, and which mixers have it each for itself. */
function pointsOf(block: BlockConfig): NonNullable<BlockSummary['points']> {
  const names = new Set([...hookPointsOf(block), ...memoryOf(block)]);
  const found = PATCH_POINTS.map((point) => [point, MIXERS.filter((mixer) => names.has(`${mixer}.${point}`))] as const);
  return Object.fromEntries(found.filter(([point, mixers]) => mixers.length > 0 || names.has(point)));
}

export function blockSummary(block: BlockConfig): BlockSummary {
  const { kind, mixer } = block;
  return {
    kind,
    label: ARCHITECTURES[kind].label,
    lambda: null,
    lambdaInit: isDifferential(block) ? block.lambdaInit : null,
    branches: branchesOf(block),
    points: pointsOf(block),
    heads: mixer.H,
    channels: mixer.E,
  };
}

/** λ as one number: itself, or the mean over channels. */
export function meanLambda(lambda: number | Float32Array | undefined): number | null {
  if (lambda === undefined) return null;
  if (typeof lambda === 'number') return lambda;
  return lambda.reduce((sum, value) => sum + value, 0) / lambda.length;
}

/** @throws ServiceError 422 with the reason, if there is one. */
export function requireAllowed(refused: Refused | undefined): void {
  if (refused) throw new ServiceError(422, refused.message, refused.hint);
}

/** @throws ServiceError 422 when the block has no such branch, head or channel. */
export const checkView = (block: BlockConfig, layer: number, branch: Branch, reduce: Reduce): void =>
  requireAllowed(refusedView(blockSummary(block), layer, branch, reduce));

/** What a block left in a run. @throws ServiceError 404 where the model has no such layer, 409 before it is computed. */
export function blockOf({ config, blocks, request }: ModelRecord, layer: number): BlockCache {
  if (layer >= config.blocks.length)
    throw new ServiceError(404, `${request.name} has ${config.blocks.length} layers, numbered from 0.`);
  const block = blocks[layer];
  if (block) return block;
  throw new ServiceError(409, `Layer ${layer} has not been computed in this run.`);
}
