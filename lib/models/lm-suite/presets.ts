import type { BlockKind } from '@/lib/checkpoint/types';
import { classSizes, type LmSuiteConfig } from './config';

export const SUITE_DATASETS = ['wikitext-103', 'text8', 'enwik8'] as const;

export type SuiteDataset = (typeof SUITE_DATASETS)[number];

/** Vocabularies and softmax of the data sets (equations E2); the byte models keep the word model's cutoffs. */
const DATA: Readonly<Record<SuiteDataset, { V: number; divVal: number; residual: Readonly<Record<6 | 12, number>> }>> =
  {
    'wikitext-103': { V: 267_735, divVal: 4, residual: { 6: 0.25, 12: 0.5 } },
    text8: { V: 27, divVal: 1, residual: { 6: 0.4, 12: 0.5 } },
    enwik8: { V: 204, divVal: 1, residual: { 6: 0.4, 12: 0.5 } },
  };

/**
 * A model of Table 1 or 2 of arXiv 2507.06204 (equations E2, F): d = 1024, or 864 where the heads are of 108 channels.
 */
export function paperSuite(data: SuiteDataset, units: 6 | 12, kind: BlockKind): LmSuiteConfig {
  const { V, divVal, residual } = DATA[data];
  const { P } = classSizes(kind);
  return {
    d: P === 0 || 1024 % P === 0 ? 1024 : 8 * P,
    units,
    kind,
    V,
    cutoffs: [19_997, 39_997, 199_997],
    divVal,
    dropout: { residual: residual[units], embedding: 0.25, softmax: 0.25 },
  };
}
