import type { BlockKind, BlockSummary, Branch, Reduce } from '@/lib/api/schemas';
import type { BlockConfig } from '@/lib/checkpoint';
import { ServiceError } from '../errors';

/** The maps that a block has; the last one is shown by default. */
export function branchesOf(kind: BlockKind): Branch[] {
  const plain = kind === 'mamba1' || kind === 'mamba2' || kind === 'diff_mamba2e';
  return plain ? ['single'] : ['mixer_1', 'mixer_2', 'lambda_mixer_2', 'diff'];
}

export const defaultBranch = (kind: BlockKind): Branch => branchesOf(kind).at(-1) as Branch;

/** Labels of the lens entries: the embedding, the output of every block, and the model's own output. */
export const entryLabels = (layers: number): string[] => [
  'embedding',
  ...Array.from({ length: layers }, (_, i) => `layer ${i}`),
  'final',
];

export function blockSummary({ kind, mixer, lambdaInit }: BlockConfig): BlockSummary {
  return {
    kind,
    lambda: null,
    lambdaInit: lambdaInit ?? null,
    branches: branchesOf(kind),
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

/** @throws ServiceError 422 when the block has no such branch, head or channel. */
export function checkView({ kind, mixer }: BlockConfig, layer: number, branch: Branch, reduce: Reduce): void {
  if (!branchesOf(kind).includes(branch))
    throw new ServiceError(
      422,
      `Layer ${layer} (${kind}) has no branch ${branch}.`,
      `Choose one of ${branchesOf(kind).join(', ')}.`,
    );
  const [what, index] = reduce.split(':');
  if (index === undefined) return;
  if (what === 'head' && mixer.H === 0)
    throw new ServiceError(422, `Layer ${layer} (${kind}) has no heads.`, 'Choose a channel instead.');
  const limit = what === 'head' ? mixer.H : mixer.E;
  if (Number(index) >= limit)
    throw new ServiceError(
      422,
      `Layer ${layer} has ${limit} ${what}s; there is no ${what} ${index}.`,
      `Numbers go from 0 to ${limit - 1}.`,
    );
}
