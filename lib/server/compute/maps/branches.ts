import { type BlockCache, branchesOf as exactBranches, isSoftmax, mixerBranchesOf } from '@/lib/analysis/s6Attention';
import { type Refused, refusedView } from '@/lib/api/refusals';
import type { BlockSummary, Reduce } from '@/lib/api/schemas';
import { ARCHITECTURES } from '@/lib/architectures';
import { hookPointsOf, memoryOf, scansOf } from '@/lib/architectures/places';
import { type BlockConfig, isDifferential, isHybrid } from '@/lib/checkpoint';
import { type Branch, type Form, MIXERS, PATCH_POINTS } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { ModelRecord } from '../runs/record';

/**
 * The maps that a block has; the last one is shown by default. With one λ per output channel there is no
 * difference of S6 maps.
 */
export function branchesOf(block: BlockConfig): Branch[] {
  const all = mixerBranchesOf(block.kind);
  if (!isDifferential(block) || block.lambda !== 'sigmoid_channel') return [...all];
  return all.filter((branch) => branch !== 'lambda_mixer_2' && branch !== 'diff');
}

/** Branches of the forms that are exact as operators, where one λ per channel does not stand in the way of a difference. */
export const contributionBranches = ({ kind }: BlockConfig): readonly Branch[] => exactBranches(kind);

/** Undefined of a layer that reads no other token. */
export const defaultBranch = (block: BlockConfig): Branch | undefined => branchesOf(block).at(-1);

/** The default of a form. @throws ServiceError 422 where the layer has no map */
export function branchAsked(block: BlockConfig, layer: number, form: Form, asked: Branch | undefined): Branch {
  const own = form === 'logit' || form === 'norm' ? contributionBranches(block) : branchesOf(block);
  const softmax = form === 'softmax' ? own.filter((branch) => isSoftmax(block.kind, branch)) : own;
  const branch = asked ?? softmax.at(-1) ?? own.at(-1);
  if (!branch) requireAllowed(refusedView(blockSummary(block), layer, 'single', 'mean'));
  return branch as Branch;
}

/** The form of the map of a mixer alone. */
export const ownForm = ({ kind }: BlockConfig, branch: Branch): 'softmax' | 's6' =>
  isSoftmax(kind, branch) ? 'softmax' : 's6';

/** @throws ServiceError 422 where a scan is asked for softmax weights, or attention for the map of a scan */
export function requireOwnForm(block: BlockConfig, layer: number, form: Form, branch: Branch): void {
  const own = ownForm(block, branch);
  if (form !== own && (form === 's6' || form === 'softmax'))
    throw new ServiceError(
      422,
      `Layer ${layer} (${block.kind}) has no map of the form ${form} in the branch ${branch}.`,
      `Ask for the form ${own}.`,
    );
}

/** What patching can carry over in a block, and which mixers have it each for itself. */
function pointsOf(block: BlockConfig): NonNullable<BlockSummary['points']> {
  const names = new Set([...hookPointsOf(block), ...memoryOf(block)]);
  const found = PATCH_POINTS.map((point) => [point, MIXERS.filter((mixer) => names.has(`${mixer}.${point}`))] as const);
  return Object.fromEntries(found.filter(([point, mixers]) => mixers.length > 0 || names.has(point)));
}

export function blockSummary(block: BlockConfig): BlockSummary {
  const { kind, mixer } = block;
  const softmax = branchesOf(block).filter((branch) => isSoftmax(kind, branch));
  const exact = contributionBranches(block);
  const attention = isHybrid(block) ? block.attention : undefined;
  return {
    kind,
    label: ARCHITECTURES[kind].label,
    lambda: null,
    lambdaInit: isDifferential(block) ? block.lambdaInit : null,
    branches: branchesOf(block),
    ...(softmax.length > 0 && { softmax }),
    ...(exact.length > 1 && attention && { exact: [...exact] }),
    points: pointsOf(block),
    heads: attention && scansOf(block).length === 0 ? attention.H : mixer.H,
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
