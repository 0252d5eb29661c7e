import { describe, expect, it } from 'vitest';
import { type Sweep, SweepRequestSchema } from '@/lib/api/sweeps';
import type { View } from '../data/view';
import { meanMapOf, type OverExamples, overExamplesOf, refusedOverExamples, sweepRequest } from './meanMap';

const estimate = (mean: number | null) => ({ mean, stderr: 0, low: mean, high: mean, n: mean === null ? 0 : 3 });
const result = {
  intervals: { level: 0.95, over: 'prompts' },
  settings: {},
  sources: [
    {
      source: 'stories',
      examples: 3,
      models: [
        {
          model: 'm',
          seeds: 1,
          metric: 'logit_difference',
          notes: [],
          cells: [
            { layers: [0, 1], class: 'needle', tokens: 4.5, effect: estimate(1), change: estimate(9) },
            { layers: [0, 1], class: 'filler', tokens: 2, effect: estimate(0), change: estimate(0) },
            { layers: [1, 2], class: 'needle', tokens: 4.5, effect: estimate(null), change: estimate(null) },
          ],
        },
      ],
    },
  ],
};
const sweep = (of: unknown) => ({ result: of }) as Sweep;

describe('a sweep of causal tests', () => {
  it('is a map of layers by classes, with effects where there are any', () => {
    const map = meanMapOf(overExamplesOf(sweep(result)) as OverExamples, 0);
    expect(map.classes).toEqual([
      { name: 'needle', tokens: 4.5 },
      { name: 'filler', tokens: 2 },
    ]);
    expect(map.rows.map(({ name }) => name)).toEqual(['0–1', '1–2']);
    expect(map.rows[0].cells.map((each) => each?.mean)).toEqual([1, 0]);
    expect(map.rows[1].cells.map((each) => each?.mean)).toEqual([null, undefined]);
  });

  it('has nothing to show before its end, or of another kind', () => {
    expect(overExamplesOf(sweep(null))).toBeUndefined();
    expect(overExamplesOf(sweep({ sources: [{ source: 'x', layers: [] }] }))).toBeUndefined();
  });

  it('asks what the section is set to', () => {
    const view = {
      models: [
        { name: 'm', model: { blocks: [] } },
        { name: 'm', model: { blocks: [] } },
      ],
    } as unknown as View;
    const settings = {
      point: 'hook_out_proj',
      branch: '',
      direction: 'noise',
      queries: 'answer',
      reads: 'block',
      window: 2,
      method: 'self',
      unit: 'mixer',
    } as const;
    const patch = SweepRequestSchema.parse(sweepRequest(view, 'patch', settings, 'demo:10'));
    expect(patch).toMatchObject({
      kind: 'patch',
      models: ['m'],
      point: 'hook_out_proj',
      direction: 'noise',
      window: 2,
    });
    const cut = SweepRequestSchema.parse(sweepRequest(view, 'knockout', settings, [{ prompt: 'a', target: 'b' }]));
    expect(cut).toMatchObject({ kind: 'knockout', queries: 'answer', reads: 'block', window: 2 });
    expect(cut.sources[0].name).toBe('own prompts');
    const off = SweepRequestSchema.parse(sweepRequest(view, 'ablate', settings, 'demo:10'));
    expect(off).toMatchObject({
      kind: 'ablate',
      unit: 'mixer',
      method: 'mean',
      reference: 'self',
      rows: 'class',
      window: 2,
    });
    const zero = sweepRequest(view, 'ablate', { ...settings, method: 'zero' }, 'demo:10');
    expect(zero).toMatchObject({ method: 'zero' });
    expect(zero).not.toHaveProperty('reference');
    expect(refusedOverExamples('ablate', { method: 'mean' })).toMatch(/choose one of these.*--reference FILE/);
    expect(refusedOverExamples('patch', { method: 'mean' })).toBeUndefined();
  });
});
