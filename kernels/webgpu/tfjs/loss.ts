import { discard } from '../program';
import { crossEntropyGrad } from '../programs/cross-entropy-grad';
import { logSumExp } from '../programs/log-sum-exp';
import { meanLoss } from '../programs/mean-loss';
import { sumParts } from '../programs/sum-parts';
import type { Kernel } from './kernel';

export const loss = {
  CrossEntropy: ({ backend, inputs: { logits, labels } }) => {
    const rows = logSumExp(backend, logits);
    const mean = meanLoss(backend, logits, labels, rows);
    const scalar = sumParts(backend, mean, { shape: [] });
    discard(backend, mean);
    return [scalar, rows];
  },

  CrossEntropyGrad: ({ backend, inputs: { logits, labels, logSumExp: rows, dy } }) => {
    const mean = meanLoss(backend, logits, labels, rows);
    const gradient = crossEntropyGrad(backend, { logits, labels, logSumExp: rows, loss: mean, dy });
    discard(backend, mean);
    return [gradient];
  },
} satisfies Record<string, Kernel>;
