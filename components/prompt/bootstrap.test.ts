import { describe, expect, it } from 'vitest';
import type { Example, ModelSummary } from '@/lib/api/schemas';
import { defaultModels, startingExample } from './bootstrap';

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

describe('startingExample', () => {
  const example = (id: string, models?: [string, string]): Example => ({
    id,
    models,
    title: '',
    description: '',
    prompt: 'x',
    needle: [0, 1],
    target: 'y',
    candidates: [],
  });
  const examples = [example('of-a-pair', ['plain', 'diff']), example('any')];
  const started = (said: Partial<Parameters<typeof startingExample>[1]>) =>
    startingExample(examples, { exampleId: '', modelA: '', modelB: '', ...said })?.id;

  it('is the one of the link, else the first that suits its models', () => {
    expect(started({})).toBe('of-a-pair');
    expect(started({ exampleId: 'any' })).toBe('any');
    expect(started({ modelA: 'diff' })).toBe('of-a-pair');
    expect(started({ modelA: 'own', modelB: 'diff' })).toBe('any');
    expect(started({ exampleId: 'of-a-pair', modelA: 'own' })).toBe('of-a-pair');
  });
});
