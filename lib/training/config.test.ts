import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import { modelConfigOf, parseTrainingConfig, trainingSchema } from './config';

const model = { hidden_size: 32, num_hidden_layers: 2, layers: 'mamba2', state_size: 8, head_dim: 16 };

describe('parseTrainingConfig', () => {
  it('fills in what is left out', () => {
    const config = parseTrainingConfig({ model, steps: 10 });
    expect(config.optimizer).toMatchObject({ betas: [0.9, 0.999], weight_decay_on: 'language_model' });
    expect(config.data).toMatchObject({ task: 'retrieval', sentences: [2, 7] });
    expect(parseTrainingConfig(config)).toEqual(config);
  });

  it.each([
    [{ model }, 'steps'],
    [{ model, steps: 0 }, 'steps'],
    [{ model, steps: 5, optimizer: { learning_rate: -1 } }, 'optimizer.learning_rate'],
    [{ model, steps: 5, data: { sentences: [5, 2] } }, 'data.sentences'],
    [{ model, steps: 5, stepz: 5 }, 'stepz'],
    ['text', 'the file'],
  ])('says in one sentence what is wrong with %j', (json, where) => {
    expect(() => parseTrainingConfig(json)).toThrow(InputError);
    expect(() => parseTrainingConfig(json)).toThrow(where);
  });
});

describe('modelConfigOf', () => {
  it('reads the sizes as config.json does', () => {
    const config = modelConfigOf(parseTrainingConfig({ model: { ...model, layers: 'diff_mamba2' }, steps: 1 }), 86);
    expect(config).toMatchObject({ d: 32, V: 86, tied: true });
    expect(config.blocks[1]).toMatchObject({ kind: 'diff_mamba2', lambda: 'sigmoid_sum', mixer: { E: 32, H: 2 } });
  });

  it('refuses sizes that do not fit', () => {
    expect(() => modelConfigOf(parseTrainingConfig({ model: { ...model, head_dim: 7 }, steps: 1 }), 86)).toThrow(
      InputError,
    );
  });
});

describe('docs/training.md', () => {
  const text = readFileSync(new URL('../../docs/training.md', import.meta.url), 'utf8');

  it('begins with a configuration that can be used', () => {
    const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? '');
    expect(modelConfigOf(parseTrainingConfig(example), 86).blocks).toHaveLength(2);
  });

  it('names every field', () => {
    const { shape } = trainingSchema;
    const inner = [shape.data, shape.optimizer, shape.loss].flatMap((group) => Object.keys(group.unwrap().shape));
    for (const field of [...Object.keys(shape), ...inner].filter((name) => name !== 'task'))
      expect(text, field).toMatch(new RegExp(`[\`.]${field}[\`.]`));
  });
});
