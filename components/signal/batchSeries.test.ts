import { describe, expect, it } from 'vitest';
import type { SnrResult } from '@/lib/api/analyses';
import { batchCurves } from './batchSeries';

const row = (entry: string, metric: 'target_prob' | 'snr_vocab' | 'snr_candidates', mean: number, n = 4) => ({
  entry,
  metric,
  mean,
  n,
  stderr: 0.1,
  low: mean - 1,
  high: mean + 2,
});

const result: SnrResult = {
  kind: 'snr',
  lens: 'logit',
  examples: 4,
  intervals: { level: 0.95, over: 'prompts' },
  notes: [],
  models: [
    { model: 'deep', rows: ['embedding', 'layer 0', 'layer 1', 'final'].map((e, k) => row(e, 'target_prob', k)) },
    {
      model: 'flat',
      rows: [
        ...['embedding', 'layer 0', 'final'].map((e, k) => row(e, 'target_prob', 10 * k)),
        row('layer 0', 'snr_vocab', 7),
        row('layer 0', 'snr_candidates', 8, 0),
      ],
    },
  ],
  difference: ['embedding', 'layer 0', 'final'].map((e, k) => ({ ...row(e, 'target_prob', k), p: 0.5 })),
};
const view = (...names: string[]) => ({ layers: 2, models: names.map((name) => ({ name })) });
const means = (estimates: readonly ({ mean: number | null } | undefined)[] | undefined) =>
  estimates?.map((estimate) => estimate?.mean);

describe('batchCurves', () => {
  it('sets entries on the axis of the deepest model, the output last', () => {
    const curves = batchCurves(result, view('deep', 'flat'), 'p', 'logit');
    expect(curves?.models.map(means)).toEqual([
      [0, 1, 2, 3],
      [0, 10, undefined, 20],
    ]);
    expect(means(curves?.difference)).toEqual([0, 1, undefined, 2]);
    expect(curves?.n).toBe(4);
  });

  it('follows swapped models: the difference turns its sign and its interval', () => {
    const curves = batchCurves(result, view('flat', 'deep'), 'p', 'logit');
    expect(means(curves?.models[0])?.[1]).toBe(10);
    expect(curves?.difference?.[1]).toMatchObject({ mean: -1, low: -3, high: -0 });
  });

  it('keeps what belongs to one of the models, without a difference', () => {
    const curves = batchCurves(result, view('flat', 'other'), 'p', 'logit');
    expect(curves?.models.map((model) => model !== undefined)).toEqual([true, false]);
    expect(curves?.difference).toBeUndefined();
    expect(batchCurves(result, view('other'), 'p', 'logit')).toBeUndefined();
    expect(batchCurves(result, view('flat'), 'p', 'tuned')).toBeUndefined();
  });

  it('compares with the vocabulary where the examples have no answer set', () => {
    const curves = batchCurves(result, view('deep', 'flat'), 'snr', 'logit');
    expect(curves?.candidates).toBe('vocabulary');
    expect(means(curves?.models[1])?.[1]).toBe(7);
  });
});
