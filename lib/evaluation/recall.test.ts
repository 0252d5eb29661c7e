import { beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openSource } from '@/lib/data/sources';
import { openDevice } from '@/lib/engine';
import { createModel } from '@/lib/models';
import { loadTokenizer } from '@/lib/tokenizer';
import { type Asked, macroAccuracy, madEvaluation, mqarEvaluation, recallEvaluation, resamplingOf } from '.';

let asked: Asked;
beforeAll(async () => {
  await openDevice({ device: 'auto' });
  const checkpoint = await loadCheckpoint('models/demo-mamba2');
  const tokenizer = await loadTokenizer(checkpoint.tokenizerPath as string);
  asked = { name: 'demo', vocabulary: checkpoint.config.vocabulary, tokenizer, model: createModel(checkpoint) };
});

const facts = { name: 'demo', device: 'cpu', weights: 'float32', parameters: 1, sha256: '', tokenizer: null } as const;

describe('recall', () => {
  it('says what is most likely where an answer is asked for, wherever rows are divided', async () => {
    const data = [{ source: 'retrieval', sentences: [2, 4] }];
    const evaluation = await recallEvaluation({ data, rows: 10, batch: 4 });
    const items = evaluation.items(asked);
    expect(items.map(({ lines }) => lines)).toEqual([4, 4, 2]);
    const lines = (await Promise.all(items.map((item) => evaluation.evaluateItem(asked, item)))).flat();
    const again = await Promise.all([...items].reverse().map((item) => evaluation.evaluateItem(asked, item)));
    expect(again.reverse().flat()).toEqual(lines);
    const source = await openSource(data[0]);
    for (const { row, targets, target_texts, said, said_texts, at } of lines) {
      const { tokens, answers } = source.row('test', row);
      const [{ start }] = answers;
      expect([at, targets]).toEqual([[start], [tokens[start]]]);
      const logits = asked.model.forward([[...tokens.subarray(0, start)]], { logits: 'last' });
      const values = [...logits.dataSync<'float32'>()];
      expect(said).toEqual([values.indexOf(Math.max(...values))]);
      expect(target_texts).toEqual([asked.tokenizer?.tokenText(tokens[start])]);
      expect(said_texts).toHaveLength(1);
    }
    const results = evaluation.summarise([{ label: 'demo', seeds: [{ facts, lines }] }], () => resamplingOf(1, 50));
    const [{ conditions }] = results.models;
    const right = lines.filter(({ said, targets }) => said[0] === targets[0]).length;
    expect(conditions[0].accuracy?.mean).toBeCloseTo(right / 10, 10);
    expect(
      conditions[0].by_label.map(({ label }) => label).every((label) => label === 'person' || label === 'object'),
    ).toBe(true);
    expect(evaluation.figures(results)[0].svg).toContain('Accuracy, %');
  });

  it('tells MQAR by length, pairs and gap, and draws it by gap', async () => {
    const evaluation = await mqarEvaluation({
      data: { keys: 8, values: 8 },
      ...{ lengths: [24, 40], pairs: [2, 4], rows: 4, batch: 3 },
    });
    const items = evaluation.items(asked);
    expect(items).toHaveLength(8);
    const lines = (await Promise.all(items.map((item) => evaluation.evaluateItem(asked, item)))).flat();
    const results = evaluation.summarise([{ label: 'demo', seeds: [{ facts, lines }] }], () => resamplingOf(1, 50));
    const { conditions } = results.models[0];
    expect(conditions.map(({ data }) => [data.length, data.pairs])).toEqual([
      [24, 2],
      [24, 4],
      [40, 2],
      [40, 4],
    ]);
    expect(conditions.map(({ answers }) => answers)).toEqual([8, 16, 8, 16]);
    const [{ name, svg }] = evaluation.figures(results);
    expect(name).toBe('mqar-accuracy');
    expect(svg).toContain('gap, tokens');
    expect(svg).toContain('length 24, pairs 2');
  });

  it('asks every task of MAD for what its generator asks for, at the position where it is said', async () => {
    const evaluation = await madEvaluation({ tasks: ['memorization', 'in-context-recall'], data: {}, rows: 2 });
    const reader = { name: 'any', vocabulary: 256 };
    expect(evaluation.items(reader)).toHaveLength(2);
    expect(() => evaluation.items(asked)).toThrow('mad memorization has 256 kinds of tokens and demo knows');
    const small = await madEvaluation({ tasks: ['selective-copying', 'in-context-recall'], rows: 3, batch: 2 });
    const lines = (await Promise.all(small.items(asked).map((item) => small.evaluateItem(asked, item)))).flat();
    const copying = await openSource({ source: 'mad', task: 'selective-copying' });
    const { targets, answers } = copying.row('test', 1);
    expect(lines[1].at).toEqual(Array.from({ length: 16 }, (_, k) => 240 + k));
    expect(lines[1].targets).toEqual([...(targets as Int32Array).subarray(answers[0].start)]);
    const recall = await openSource({ source: 'mad', task: 'in-context-recall' });
    const row = recall.row('test', 0);
    expect(lines[3].targets).toEqual(row.answers.flatMap(({ start, end }) => [...row.tokens.subarray(start, end)]));
  });

  it('averages accuracy over tokens as torchmetrics does, those that are only said counted 0', () => {
    const lines = [
      { targets: [1, 1, 2, 3], said: [1, 2, 2, 3] },
      { targets: [3], said: [7] },
    ];
    expect(macroAccuracy(lines)).toBeCloseTo((1 / 2 + 1 + 1 / 2 + 0) / 4, 12);
  });
});
