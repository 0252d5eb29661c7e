import { describe, expect, it } from 'vitest';
import type { ModelSummary } from '@/lib/api/schemas';
import { defaultModels } from './bootstrap';

const model = (
  name: string,
  kind: ModelSummary['layers'][number],
  hidden: number,
  hasTokenizer = true,
): ModelSummary => ({
  name,
  format: 'statescope',
  layers: [kind, kind],
  differential: [kind, kind].map((each) => each === 'diff_mamba2'),
  hidden_size: hidden,
  parameters: 1000,
  dtype: 'float32',
  vocab_size: 100,
  tied: true,
  summary: '',
  hasTokenizer,
  tokenizer: null,
  hasTunedLens: false,
  heldOut: null,
});

describe('defaultModels', () => {
  it('sets a plain model against its differential twin', () => {
    const models = [model('big', 'mamba2', 512), model('diff', 'diff_mamba2', 128), model('plain', 'mamba2', 128)];
    expect(defaultModels(models)).toEqual({ modelA: 'plain', modelB: 'diff' });
  });

  it('never picks a model that cannot run', () => {
    expect(defaultModels([model('x', 'mamba2', 1, false), model('y', 'mamba2', 1)])).toEqual({
      modelA: 'y',
      modelB: '',
    });
    expect(defaultModels([])).toEqual({ modelA: '', modelB: '' });
  });
});
