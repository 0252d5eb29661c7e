import { describe, expect, it } from 'vitest';
import type { ModelSummary } from '@/lib/api/schemas';
import { searchModels } from './modelSearch';

const model = (name: string, summary: string): ModelSummary => ({
  name,
  summary,
  format: 'statescope',
  layers: ['mamba2'],
  differential: [false],
  hidden_size: 8,
  parameters: 1,
  dtype: 'float32',
  vocab_size: 10,
  tied: true,
  hasTokenizer: true,
  tokenizer: { name: 'tokenizer.json', source: 'model' as const },
  hasTunedLens: false,
  heldOut: null,
});

describe('searchModels', () => {
  const models = [model('small', 'Mamba-2 · 4 layers'), model('big', 'Diff-Mamba-2 · 24 layers')];

  it('takes every word, in any field, and all models without a word', () => {
    expect(searchModels(models, 'diff 24').map(({ name }) => name)).toEqual(['big']);
    expect(searchModels(models, 'MAMBA')).toHaveLength(2);
    expect(searchModels(models, ' ')).toHaveLength(2);
    expect(searchModels(models, 'small 24')).toEqual([]);
  });
});
