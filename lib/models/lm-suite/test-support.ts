import type { BlockKind } from '@/lib/checkpoint/types';
import type { RandomNumbers } from '../initial-draws';
import type { LmSuiteConfig } from './config';
import { initialLmSuite } from './initialise';
import type { LmSuiteTensor } from './model';

/** One unit of a few channels, with two tail clusters of narrower embeddings. */
export const tinySuite = (kind: BlockKind, own: Partial<LmSuiteConfig> = {}): LmSuiteConfig => ({
  d: 16,
  units: 1,
  kind,
  V: 29,
  cutoffs: [9, 17],
  divVal: 2,
  dropout: { residual: 0.3, embedding: 0.2, softmax: 0.2 },
  mixer: { N: 4, ...(['mamba1', 'diff_mamba1', 'diff_s6'].includes(kind) ? {} : { P: 8 }) },
  ...own,
});

/** Initial weights, every one moved a little, so that no zero or one hides a missing term. */
export function movedWeights(config: LmSuiteConfig, random: RandomNumbers): Map<string, LmSuiteTensor> {
  const tensors = initialLmSuite(config, random);
  for (const { data } of tensors.values()) for (let i = 0; i < data.length; i++) data[i] += 0.2 * random.normal();
  return tensors;
}

/** max|a − b| over two lists of numbers of one length. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers against ${b.length}.`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}
