import { beforeAll, describe, expect, it } from 'vitest';
import type { SingleKind } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel } from '@/lib/models';
import { Random } from '@/lib/random';
import type { SnrExample } from '../snrBatch';
import { type Plan, plantedCheckpoint, plantedExamples } from '../testing/plantedModel';
import { alignedAround, type CausalSample, causalSample, causalSummary, patchGrid, requireCausal } from '.';

beforeAll(async () => {
  await openDevice();
});

const FIRST = { needle: 1, competing: 0.8, filler: 0.25, question: 0.1, self: 0.2 };
const SECOND = { needle: 0.1, competing: 0.8, filler: 0.2, question: 0.3, self: 0 };
const plan = (kind: SingleKind): Plan => ({ kind, first: FIRST, second: SECOND, lambda: 0.9 });

const resampling = () => ({ random: new Random(42), seeds: new Random(43), resamples: 200 });

/** The planted prompts, whose room in the needle is exchanged for the one that competes. */
function examples(): SnrExample[] {
  return plantedExamples().map(({ tokens, target, needle, competing = [], question }) => {
    const room = tokens.slice(...needle).indexOf(target) + needle[0];
    // Both sentences are of the same form.
    const foil = tokens[competing[0][0] + room - needle[0]];
    const corrupted = tokens.map((token, t) => (t === room ? foil : token));
    return { tokens: [...tokens], target, foil, needle, competing, question, corrupted };
  });
}

describe.each(['mamba1', 'mamba2', 'diff_mamba2'] as const)('over the planted prompts, %s', (kind) => {
  const model = () => createModel(plantedCheckpoint(plan(kind)));

  it('patching the needle’s stream brings the answer back, that of no other class does', () => {
    const planted = model();
    const samples = examples().map((one) => causalSample(planted, { test: 'patch', point: 'hook_resid_pre' }, one));
    const { cells, metric, base } = causalSummary([samples], resampling);
    expect(metric).toBe('logit_difference');
    expect(base.clean?.mean).toBeGreaterThan(base.corrupted?.mean as number);
    const of = (name: string) => cells.find((cell) => cell.class === name);
    expect(of('needle')?.effect?.mean).toBeCloseTo(1, 4);
    expect(of('needle')?.effect).toMatchObject({ n: samples.length });
    for (const name of ['competing', 'question', 'filler']) expect(of(name)?.effect?.mean).toBeCloseTo(0, 4);
    // One of them against the grid by itself.
    const { tokens, corrupted = [], target, foil, needle } = examples()[0];
    const grid = patchGrid(planted, {
      ...{ clean: tokens, corrupted, target, foil, point: 'hook_resid_pre' },
      spans: [needle as [number, number]],
    });
    expect(samples[0].cells[0].needle?.change).toBeCloseTo(grid.patched[0] - grid.corrupted, 4);
    planted.dispose();
  });

  it('knocking out the needle takes the answer, that of filler does nothing', () => {
    const planted = model();
    const samples = examples().map((one) => causalSample(planted, { test: 'knockout' }, one));
    const { cells } = causalSummary([samples], resampling);
    const estimate = { test: 'knockout', attribution: true } as const;
    const estimates = examples().map((one) => causalSample(planted, estimate, one));
    const estimated = causalSummary([estimates], resampling).cells;
    expect(estimated.map(({ class: name }) => name)).toEqual(cells.map(({ class: name }) => name));
    expect(estimated.find((cell) => cell.class === 'needle')?.change?.high).toBeLessThan(-0.1);
    expect(estimated[0].change_frozen_norms).toBeUndefined();
    const of = (name: string) => cells.find((cell) => cell.class === name);
    const needle = of('needle')?.change_frozen_norms;
    expect(needle?.high).toBeLessThan(-0.1);
    expect(Math.abs(of('filler')?.change_frozen_norms?.mean as number)).toBeLessThan(1e-3);
    // Nobody reads the read-out token later: not tested, not 0.
    expect(of('self')?.change).toMatchObject({ mean: Number.NaN, n: 0 });
    planted.dispose();
  });

  it('ablating the only block at the read-out token takes the answer, elsewhere nothing', () => {
    const planted = model();
    const task = { test: 'ablate', unit: 'block', method: 'zero', rows: 'class' } as const;
    const samples = examples().map((one) => causalSample(planted, task, one));
    const { cells } = causalSummary([samples], resampling);
    const of = (name: string) => cells.find((cell) => cell.class === name);
    expect(of('self')?.change?.high).toBeLessThan(-0.1);
    for (const name of ['needle', 'filler']) expect(of(name)?.change?.mean).toBeCloseTo(0, 6);
    const whole = causalSample(planted, { ...task, rows: 'all' }, examples()[0]);
    expect(whole.tokens).toEqual({ all: examples()[0].tokens.length });
    expect(whole.cells[0].all?.change).toBeCloseTo(samples[0].cells[0].self?.change as number, 5);
    planted.dispose();
  });
});

const sample = (change: number | null, gap: number, more: Partial<CausalSample> = {}): CausalSample => ({
  metric: 'logit_difference',
  rows: [{ layers: [0] }],
  tokens: { needle: change === null ? 0 : 2 },
  base: { clean: 3, corrupted: 3 - gap },
  gap,
  cells: [change === null ? {} : { needle: { change } }],
  found: false,
  made: true,
  ...more,
});

describe('a summary', () => {
  it('has effects as ratios of sums, leaves out prompts without the class, and counts what it has', () => {
    const samples = [sample(1, 1), sample(1, 4), sample(null, 100)];
    const { cells, base, made } = causalSummary([samples], resampling);
    expect(cells).toHaveLength(1);
    expect(cells[0].tokens).toBe(2);
    expect(cells[0].change).toMatchObject({ mean: 1, n: 2, low: 1, high: 1 });
    // (1 + 1) / (1 + 4), where the mean of the two ratios is 0.625.
    expect(cells[0].effect).toMatchObject({ mean: 0.4, n: 2, low: 0.25, high: 1 });
    expect(base.corrupted?.n).toBe(3);
    expect(made).toBe(3);
  });

  it('takes seeds of one model together', () => {
    const { cells } = causalSummary(
      [
        [sample(1, 2), sample(1, 2)],
        [sample(3, 2), sample(3, 2)],
      ],
      resampling,
    );
    expect(cells[0].change?.mean).toBe(2);
    expect(cells[0].effect).toMatchObject({ mean: 1, low: 0.5, high: 1.5 });
  });

  it('refuses what cannot be put together', () => {
    const other = { metric: 'target_logit' };
    expect(() => causalSummary([[sample(1, 1), sample(1, 1, other)]], resampling)).toThrow(/give all one, or none/);
    const deeper = { rows: [{ layers: [1] }] };
    expect(() => causalSummary([[sample(1, 1)], [sample(1, 1, deeper)]], resampling)).toThrow(/the same layers/);
  });
});

describe('prompts of different lengths', () => {
  it('are aligned by what they begin and end with', () => {
    expect(alignedAround([1, 2, 3, 9], [1, 2, 5, 6, 9])).toEqual([
      { clean: [0, 2], corrupted: [0, 2] },
      { clean: [3, 4], corrupted: [4, 5] },
    ]);
    expect(alignedAround([1, 1, 1], [1, 1])).toEqual([{ clean: [0, 2], corrupted: [0, 2] }]);
    expect(alignedAround([7, 2], [8, 3, 2])).toEqual([{ clean: [1, 2], corrupted: [2, 3] }]);
  });

  it('are read as far from their ends, and tokens without a counterpart are in no class', () => {
    const planted = createModel(plantedCheckpoint(plan('mamba2')));
    const [one] = examples();
    const corrupted = [...(one.corrupted as number[])];
    corrupted.splice(2, 0, corrupted[1]);
    const task = { test: 'patch', point: 'hook_resid_pre' } as const;
    const same = causalSample(planted, task, one);
    const longer = causalSample(planted, task, { ...one, corrupted });
    // Between the token that was doubled and the room that was exchanged stands a word of filler, and all of the needle but its stop.
    expect(same.tokens).toMatchObject({ needle: 6, filler: 3 });
    expect(longer.tokens).toEqual({ ...same.tokens, needle: 1, filler: 2 });
    expect(() => causalSample(planted, task, { ...one, corrupted: undefined })).toThrow(/corrupted/);
    planted.dispose();
  });
});

describe('what can be known beforehand', () => {
  const { config } = createModel(plantedCheckpoint(plan('mamba2')));
  const outline = { config, name: 'planted' };
  it.each([
    [{ test: 'patch', point: 'hook_nothing' } as const, /no hook point hook_nothing: see docs/],
    [{ test: 'patch', point: 'hook_y', layers: [3] } as const, /no layer 3/],
    [{ test: 'knockout', window: 2 } as const, /A window of 2 layers does not fit: 1 is chosen/],
    [{ test: 'knockout', mixer: 'mixer_2' } as const, /no scan of mixer_2/],
    [{ test: 'ablate', unit: 'mixer', method: 'zero' } as const, /have no mixer/],
    [{ test: 'ablate', unit: 'block', method: 'mean' } as const, /takes its values from other prompts/],
  ])('is said of %j', (task, sentence) => {
    expect(() => requireCausal(outline, task)).toThrow(sentence);
  });
});
