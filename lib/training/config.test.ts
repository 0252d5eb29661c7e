import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { InputError } from '@/lib/checkpoint';
import { modelConfigOf, parseTrainingConfig, stageSchema, stagesOf, trainingSchema } from './config';
import { DEMO } from './demo-config';

const model = { hidden_size: 32, num_hidden_layers: 2, layers: 'mamba2', state_size: 8, head_dim: 16 };
const retrieval = { source: 'retrieval', seed: 0, sentences: [2, 7], questions: 3, weight: 1 };

describe('parseTrainingConfig', () => {
  it('fills in what is left out', () => {
    const config = parseTrainingConfig({ model, steps: 10 });
    expect(config.optimizer).toMatchObject({ betas: [0.9, 0.999], weight_decay_on: 'language_model' });
    expect(config.data).toEqual([retrieval]);
    expect(parseTrainingConfig(config)).toEqual(config);
  });

  it('takes one source or several, each with its weight and its loss', () => {
    const loss = { answers: 2, text: 0 };
    const data = [
      { source: 'retrieval', weight: 3, loss },
      { source: 'retrieval', seed: 5 },
    ];
    const config = parseTrainingConfig({ model, steps: 10, data });
    expect(config.data).toEqual([
      { ...retrieval, weight: 3, loss },
      { ...retrieval, seed: 5 },
    ]);
    expect(parseTrainingConfig(config)).toEqual(config);
  });

  it.each([
    [{ model }, 'steps'],
    [{ model, steps: 0 }, 'steps'],
    [{ model, steps: 5, stages: [{ steps: 5 }] }, 'steps'],
    [{ steps: 5 }, 'model'],
    [{ model, from: { checkpoint: 'x' }, steps: 5 }, 'from'],
    [{ from: { checkpoint: 'x' }, embedding_deviation: 0.1, steps: 5 }, 'embedding_deviation'],
    [{ from: { checkpoint: 'x' }, lambda_start: { mean: 0 }, steps: 5 }, 'lambda_start'],
    [{ model, steps: 5, optimizer: { learning_rate: -1 } }, 'optimizer.learning_rate'],
    [{ model, steps: 5, data: { source: 'retrieval', sentences: [5, 2] } }, 'data.0.sentences'],
    [{ model, steps: 5, data: [{ source: 'retrieval' }, { source: 'none' }] }, 'data.1.source'],
    [{ model, steps: 5, loss: { answers: 0, text: 0 } }, 'loss'],
    [{ model, steps: 5, stepz: 5 }, 'stepz'],
    ['text', 'the file'],
  ])('says in one sentence what is wrong with %j', (json, where) => {
    expect(() => parseTrainingConfig(json)).toThrow(InputError);
    expect(() => parseTrainingConfig(json)).toThrow(where);
  });
});

describe('stagesOf', () => {
  it('is one stage where there are none', () => {
    const [stage, ...others] = stagesOf(parseTrainingConfig({ model, steps: 7, batch_size: 3 }));
    expect(others).toEqual([]);
    expect(stage).toMatchObject({ name: 'stage 1', steps: 7, batchSize: 3, data: [retrieval] });
    expect(stage.schedule).toEqual({ peak: 3e-3, floor: 3e-5, warmupSteps: 100, steps: 7, restart: undefined });
  });

  it('leaves to the run what a stage does not say', () => {
    const data = { source: 'retrieval', sentences: [2, 2] };
    const stages = stagesOf(
      parseTrainingConfig({
        model,
        optimizer: { learning_rate: 0.01 },
        stages: [
          { name: 'short', data, steps: 5, until: { accuracy: { person: 0.9 } }, optimizer: { warmup_steps: 2 } },
          { steps: 6, batch_size: 4, loss: { answers: 0, text: 1 } },
        ],
      }),
    );
    expect(stages[0]).toMatchObject({ name: 'short', until: { accuracy: { person: 0.9 } }, batchSize: 32 });
    expect(stages[0].schedule).toMatchObject({ peak: 0.01, floor: 3e-5, warmupSteps: 2, steps: 5 });
    expect(stages[0].data).toEqual([{ ...retrieval, sentences: [2, 2] }]);
    expect(stages[1]).toMatchObject({
      name: 'stage 2',
      batchSize: 4,
      loss: { answers: 0, text: 1 },
      data: [retrieval],
    });
    expect(stages[1].schedule).toMatchObject({ warmupSteps: 100, steps: 6 });
  });

  it('keeps the warm restart of the bundled pair where it was', () => {
    for (const config of DEMO) {
      const stages = stagesOf(parseTrainingConfig(config));
      const before = stages.slice(0, -1).reduce((sum, { steps }) => sum + steps, 0);
      const last = stages[stages.length - 1];
      expect([before, before + last.steps, before + (last.schedule.restart?.step ?? 0)]).toEqual([375, 4500, 2200]);
    }
  });
});

describe('modelConfigOf', () => {
  it('reads the sizes as config.json does', () => {
    const config = modelConfigOf({ model: { ...model, layers: 'diff_mamba2' } }, 86);
    expect(config).toMatchObject({ d: 32, V: 86, tied: true });
    expect(config.blocks[1]).toMatchObject({ kind: 'diff_mamba2', lambda: 'sigmoid_sum', mixer: { E: 32, H: 2 } });
  });

  it('refuses sizes that do not fit', () => {
    expect(() => modelConfigOf({ model: { ...model, head_dim: 7 } }, 86)).toThrow(InputError);
    expect(() => modelConfigOf({ model: { ...model, vocab_size: 80 } }, 86)).toThrow('vocab_size 80');
    expect(modelConfigOf({ model: { ...model, vocab_size: 90 } }, 86).V).toBe(90);
  });
});

describe('docs/training.md', () => {
  const text = readFileSync(new URL('../../docs/training.md', import.meta.url), 'utf8');

  it('begins with a configuration that can be used', () => {
    const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? '');
    expect(modelConfigOf(parseTrainingConfig(example), 86).blocks).toHaveLength(2);
  });

  it('has only configurations that can be used', () => {
    const examples = Array.from(text.matchAll(/```json\n([\s\S]*?)```/g), ([, json]) => JSON.parse(json));
    expect(examples.length).toBeGreaterThan(1);
    for (const example of examples) expect(() => parseTrainingConfig(example)).not.toThrow();
  });

  it('names every field', () => {
    const names = new Set<string>();
    const collect = (schema: z.ZodType) => {
      const { shape, innerType, element, in: input, out } = schema.def as unknown as Record<string, never>;
      for (const [name, inner] of Object.entries(shape ?? {})) {
        names.add(name);
        collect(inner as z.ZodType);
      }
      for (const inner of [innerType, element, input, out]) if (inner) collect(inner);
      for (const option of (schema.def as { options?: z.ZodType[] }).options ?? []) collect(option);
    };
    collect(trainingSchema);
    collect(stageSchema);
    expect([...names]).toEqual(expect.arrayContaining(['until', 'convert', 'layout', 'decay', 'weight', 'epsilon']));
    for (const field of names) expect(text, field).toMatch(new RegExp(`[\`.{ "]${field}[\`.",: }]`));
  });
});
