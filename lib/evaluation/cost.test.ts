import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel } from '@/lib/models';
import { type CostLine, costEvaluation, EVALUATIONS, flopsPerToken, resamplingOf } from '.';

const CASES = 'lib/models/testing/cases';
const open = async (name: string) => createModel(await loadCheckpoint(join(CASES, name)));

beforeAll(async () => {
  await openDevice({ device: 'auto' });
});

const facts = { name: 'm', device: 'cpu', weights: 'float32', parameters: 1, sha256: '', tokenizer: null } as const;

describe('cost', () => {
  it('counts the operations of a token by the shapes of a block', async () => {
    const plain = await open('hf-mamba1');
    const { d, V, blocks } = plain.config;
    const { E, N, R, K } = blocks[0].mixer;
    const block = 2 * (d * 2 * E + E * (R + 2 * N) + R * E + E * d + E * K) + 7 * E * N;
    expect(flopsPerToken(plain)).toBe(blocks.length * block + 2 * d * V);
    const grouped = await open('hf-mamba2-groups');
    const { mixer } = grouped.config.blocks[0];
    const inner = mixer.E + 2 * mixer.G * mixer.N;
    const own = 2 * (grouped.config.d * (mixer.E + inner + mixer.H) + mixer.E * grouped.config.d + inner * mixer.K);
    const heads = own + 5 * mixer.E * mixer.N;
    expect(flopsPerToken(grouped)).toBe(grouped.config.blocks.length * heads + 2 * grouped.config.d * grouped.config.V);
  });

  it('counts both branches of every kind of differential block', async () => {
    for (const name of readdirSync(CASES).filter((one) => one.startsWith('statescope-diff'))) {
      const model = await open(name);
      const products = [...model.parameters]
        .filter(([key]) => /_proj\d?\.weight$/.test(key))
        .reduce((sum, [, { size }]) => sum + 2 * size, 0);
      expect(flopsPerToken(model), name).toBeGreaterThan(products);
      model.dispose();
    }
  });

  it('measures memory and time of every shape, and sets a model against its twin', async () => {
    const model = await open('hf-mamba2');
    const evaluation = costEvaluation({ lengths: [8, 16], batches: [1, 2], new_tokens: 2, runs: 1 });
    const asked = { name: 'm', vocabulary: model.config.vocabulary, model };
    const items = evaluation.items(asked);
    const lines: CostLine[] = [];
    for (const item of items) lines.push(...(await evaluation.evaluateItem(asked, item)));
    expect(lines.map(({ batch, length }) => [batch, length])).toEqual([
      [1, 8],
      [2, 8],
      [1, 16],
      [2, 16],
    ]);
    const [one, two, long] = lines;
    expect(two.state_bytes).toBe(2 * one.state_bytes);
    expect(long.state_bytes).toBe(one.state_bytes);
    expect(long.flops).toBe(2 * one.flops);
    expect(long.peak_bytes).toBeGreaterThan(one.peak_bytes);
    for (const line of lines)
      for (const field of ['forward_seconds', 'step_seconds', 'peak_bytes', 'weight_bytes'] as const)
        expect(line[field], field).toBeGreaterThan(0);
    const arm = (label: string, own: CostLine[]) => ({ label, seeds: [{ facts, lines: own }] });
    const slower = lines.map((line) => ({ ...line, forward_seconds: 3 * line.forward_seconds }));
    const results = evaluation.summarise([arm('a', lines), arm('b', slower)], () => resamplingOf(1));
    expect(results.ratios?.[2]).toMatchObject({ batch: 1, length: 16, parameters: 1 });
    expect(results.ratios?.[2].forward_seconds).toBeCloseTo(3, 10);
    const figures = evaluation.figures(results);
    expect(figures.map(({ name }) => name)).toEqual(['forward-time', 'throughput']);
    expect(figures[1].svg).toContain('new tokens a second');
  });

  it('is made again by its own settings, as every evaluation is', async () => {
    const given = {
      babilong: { babi: 'lib/data/testing/babi', tasks: ['qa1'], lengths: ['0k'] },
      lm: { data: { source: 'retrieval' }, rows: 2 },
      mqar: { lengths: [64] },
      mad: { tasks: ['compression'] },
      recall: { data: [{ source: 'retrieval' }] },
      cost: { runs: 1 },
    };
    for (const [name, make] of Object.entries(EVALUATIONS)) {
      const first = await make(given[name as keyof typeof given]);
      const { settings } = JSON.parse(JSON.stringify(first));
      expect(JSON.parse(JSON.stringify(await make(settings))).settings, name).toEqual(settings);
    }
  });
});
