import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { attentionAt, scansAt } from '@/lib/architectures/places';
import { BLOCK_KINDS, isDifferential, isHybrid, loadCheckpoint, type SingleKind } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, type Hook, type Model } from '@/lib/models';
import { hybridCases } from '@/lib/models/testing/hybrids';
import { loadTokenizer } from '@/lib/tokenizer';
import type { Span } from '../span';
import { differenceOf, question } from '../testing/answers';
import { bundledCase, loadModel } from '../testing/fixtures';
import { plantedCheckpoint, plantedExamples } from '../testing/plantedModel';
import { type RandomCase, randomCases, randomModel } from '../testing/randomModel';
import {
  ablation,
  ablationAttribution,
  ablationAttributionBudget,
  ablationAttributionSteps,
  checkedAblation,
  checkedAblationSteps,
  checkedKnockout,
  checkedKnockoutSteps,
  knockoutAttribution,
  knockoutAttributionBudget,
  knockoutAttributionSteps,
  knockoutGrid,
  type Unit,
} from '.';
import { placeOf } from './components';
import { knockoutHooks } from './knockoutHooks';
import { replaceRegions } from './replacement';

beforeAll(async () => {
  await openDevice();
});

/** The same hook, only `share` of whose change is made. */
const partly = ([name, change]: Hook, share: number): Hook => [
  name,
  (value, ...rest) => {
    const changed = change(value, ...rest);
    return changed ? value.add(changed.sub(value).mul(share)) : undefined;
  },
];

/** Slope of the measure at 0, where `share` of a change is made, by four central differences; and how sure that is. */
function slopeOf(model: Model, tokens: readonly number[], hooks: readonly Hook[]) {
  const at = (share: number) =>
    differenceOf(
      model,
      tokens,
      hooks.map((hook) => partly(hook, share)),
    );
  const [wide, narrow] = [0.04, 0.02].map(
    (step) => (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step),
  );
  return { slope: narrow, error: Math.abs(wide - narrow) };
}

/** Like toBeCloseTo, by the size of what is compared, and by what the differences themselves know. */
function expectSlope(found: number, { slope, error }: ReturnType<typeof slopeOf>, what: unknown) {
  const near = Math.abs(found - slope) < 2e-3 * Math.max(1, Math.abs(slope)) + 2 * error;
  expect({ near, found, slope, error, what }).toEqual({ near: true, found, slope, error, what });
}

const HYBRIDS = hybridCases().map(({ name, folder, tokens: [tokens] }) => ({ name, folder, tokens }));
const DIFFERENTIAL = ['diff_mamba1', 'diff_mamba2', 'diff_mamba2e', 'diff_s6', 'diff_s6_mamba2'] as const;

const spansOf = ({ tokens, seed }: RandomCase): Span[] => {
  const start = seed % (tokens.length - 1);
  const end = Math.min(tokens.length, start + 1 + (seed % 3));
  return [
    [start, end],
    [0, 1],
    [0, tokens.length - 1],
  ];
};

/** What the last `length` tokens of a prompt have at a point, [1,length,W]. */
function lastRows(model: Model, prompt: readonly number[], length: number, name: string): tf.Tensor {
  const { cache } = model.runWithCache([[...prompt]], { names: [name] });
  return (cache.get(name) as tf.Tensor).slice([0, prompt.length - length], [1, length]);
}

const everywhere = (L: number) => ({ positions: [[0, L]] as const });

describe('the estimate of an ablation', () => {
  const slopes = (model: Model, tokens: readonly number[], unit: Unit, method: 'zero' | 'mean') => {
    const reference = method === 'mean' ? ('self' as const) : undefined;
    const found = ablationAttribution(model, { ...question, tokens, unit, method, reference });
    for (const part of found.components.filter((_, k) => k % 5 === 0)) {
      // A block that is added to the stream is followed through the next norm as it is, not by its slope.
      if (unit === 'block' && !isHybrid(model.config.blocks[part.layer])) continue;
      const { name, channels } = placeOf(model, part);
      const hook: Hook = [
        name,
        (value) => {
          const filling = method === 'zero' ? tf.zerosLike(value) : tf.mean(value, 1, true);
          return replaceRegions(value, filling, [{ ...everywhere(tokens.length), channels }]);
        },
      ];
      expectSlope(part.change, slopeOf(model, tokens, [hook]), part);
      expect(part.value).toBeCloseTo(found.base.value + part.change, 6);
    }
    return found;
  };

  it.each([
    ['mixer', DIFFERENTIAL],
    ['head', ['mamba2', 'diff_mamba2', 'diff_s6_mamba2', 'diff_mamba2e']],
    ['channel', ['mamba1', 'falcon_mamba', 'diff_mamba1', 'diff_s6']],
  ] as const)('is the slope of the measure as a %s fades to 0, or to its mean', (unit, kinds) => {
    fc.assert(
      fc.property(randomCases(6, kinds), fc.constantFrom('zero', 'mean'), ({ tokens, ...random }, method) => {
        const model = randomModel(random);
        slopes(model, tokens, unit, method);
        model.dispose();
      }),
      { numRuns: 8 },
    );
  });

  it.each(HYBRIDS)('takes blocks and heads with attention beside scans: $name', async ({ folder, tokens }) => {
    const model = createModel(await loadCheckpoint(folder));
    for (const unit of ['block', 'head'] as const) slopes(model, tokens, unit, 'zero');
    model.dispose();
  });

  it('takes means of other prompts, at classes with gaps or spans, and names its parts as the exact runs do', () => {
    fc.assert(
      fc.property(randomCases(6), fc.boolean(), ({ tokens, others, ...random }, byClass) => {
        const model = randomModel(random);
        const reference = [others, [1, ...tokens], tokens];
        const request = { ...question, tokens, unit: 'channel', method: 'mean', reference } as const;
        const columns = byClass ? { classes: { needle: [0, 1] as const } } : { spans: [[0, 1] as const] };
        const found = ablationAttribution(model, { ...request, ...columns });
        const exact = ablation(model, { ...request, ...columns });
        expect([found.base, found.reference]).toEqual([exact.base, exact.reference]);
        expect(found.components.map(({ value: _v, change: _c, ...part }) => part)).toEqual(
          exact.components.map(({ layer, unit, mixer, index, span, tokens, class: name }) =>
            Object.fromEntries(
              Object.entries({ layer, unit, mixer, index, span, tokens, class: name }).filter(
                ([, said]) => said !== undefined,
              ),
            ),
          ),
        );
        const sets = (byClass && knockoutGrid(model, { ...question, tokens, ...columns }).classes) || [];
        for (const part of found.components.filter((_, k) => k % 9 === 0)) {
          const { name, channels } = placeOf(model, part);
          const positions = sets.find((each) => each.class === part.class)?.spans ?? [part.span as Span];
          const hook: Hook = [
            name,
            (value) => {
              const means = tf.mean(
                tf.concat(reference.map((row) => lastRows(model, row, tokens.length, name))),
                0,
                true,
              );
              return replaceRegions(value, means, [{ positions, channels }]);
            },
          ];
          expectSlope(part.change, slopeOf(model, tokens, [hook]), part);
        }
        model.dispose();
      }),
      { numRuns: 6 },
    );
  });

  it('of a block is exact behind the last one', () => {
    fc.assert(
      fc.property(randomCases(6), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const request = { ...question, tokens, unit: 'block', method: 'zero' } as const;
        const last = model.config.blocks.length - 1;
        const [found, exact] = [ablationAttribution(model, request), ablation(model, request)];
        expect(found.components[last].value).toBeCloseTo(exact.components[last].value, 4);
        model.dispose();
      }),
      { numRuns: 8 },
    );
  });
});

describe('windows of an ablation', () => {
  it('are the sums of their layers', () => {
    fc.assert(
      fc.property(randomCases(6, ['diff_mamba1', 'diff_mamba2']), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const request = { ...question, tokens, unit: 'mixer', method: 'zero' } as const;
        const each = ablationAttribution(model, request).components;
        const count = model.config.blocks.length;
        for (const { mixer, change, layers = [0] } of ablationAttribution(model, { ...request, window: count })
          .components) {
          expect(layers).toEqual([...Array(count).keys()]);
          const own = each.filter((part) => part.mixer === mixer);
          expect(change).toBeCloseTo(
            own.reduce((sum, part) => sum + part.change, 0),
            5,
          );
        }
        model.dispose();
      }),
      { numRuns: 4 },
    );
  });
});

describe('the estimate of a knock-out', () => {
  it.each([
    ['scan', 'later'],
    ['scan', 'answer'],
    ['scan', 'middle'],
    ['block', 'later'],
    ['block', 'answer'],
    ['block', 'middle'],
  ] as const)(
    'is the slope of the measure as %s reads by %s fade, at every layer of every architecture',
    (reads, who) => {
      fc.assert(
        fc.property(randomCases(6), (random) => {
          const model = randomModel(random);
          const { tokens } = random;
          const L = tokens.length;
          const middle: Span = [Math.floor(L / 2), L];
          const queries = who === 'middle' ? middle : who;
          const spans = spansOf(random);
          const found = knockoutAttribution(model, { ...question, tokens, spans, reads, queries });
          for (const [layer] of model.config.blocks.entries())
            spans.forEach((span, column) => {
              const own: Span = who === 'later' ? [span[1], L] : who === 'answer' ? [L - 1, L] : middle;
              const at = layer * spans.length + column;
              expect(Number.isFinite(found.change[at])).toBe(found.tested[column]);
              if (!found.tested[column]) return;
              const hooks = knockoutHooks(model, layer, [{ sources: [span], queries: own }], { reads });
              expectSlope(found.change[at], slopeOf(model, tokens, hooks), { layer, span });
              expect(found.without[at]).toBeCloseTo(found.change[at] + found.base, 6);
            });
          model.dispose();
        }),
        { numRuns: 8 },
      );
    },
  );

  it('takes one branch alone, classes with gaps, and windows', () => {
    fc.assert(
      fc.property(randomCases(7, ['diff_mamba1', 'diff_mamba2', 'diff_s6', 'diff_mamba2e']), (random) => {
        const model = randomModel(random);
        const { tokens } = random;
        const L = tokens.length;
        const count = model.config.blocks.length;
        const classes = { needle: [0, 1] as const };
        const asked = { ...question, tokens, classes };
        const slope = (layers: readonly number[], sources: readonly Span[], mixer?: 'mixer_1' | 'mixer_2') => {
          const removed = [{ sources, queries: [sources[0][1], L] as const }];
          return slopeOf(
            model,
            tokens,
            layers.flatMap((layer) => knockoutHooks(model, layer, removed, { reads: 'scan', mixer })),
          );
        };
        const all = knockoutAttribution(model, { ...asked, together: true });
        all.classes?.forEach(({ spans }, column) => {
          if (all.tested[column]) expectSlope(all.change[column], slope([...Array(count).keys()], spans), spans);
        });
        const windows = knockoutAttribution(model, { ...asked, window: count });
        expect(windows.change).toEqual(all.change);
        const branch = isDifferential(model.config.blocks[0]) && scansAt(0, model.config.blocks[0]).length > 1;
        if (branch)
          for (const mixer of ['mixer_1', 'mixer_2'] as const) {
            const one = knockoutAttribution(model, { ...asked, layers: [0], mixer });
            one.classes?.forEach(({ spans }, column) => {
              if (one.tested[column]) expectSlope(one.change[column], slope([0], spans, mixer), { spans, mixer });
            });
          }
        model.dispose();
      }),
      { numRuns: 8 },
    );
  });

  it.each(HYBRIDS)('follows attention beside scans: $name', async ({ folder, tokens }) => {
    const model = createModel(await loadCheckpoint(folder));
    const L = tokens.length;
    const spans: Span[] = [
      [1, 3],
      [0, 1],
    ];
    const found = knockoutAttribution(model, { ...question, tokens, spans });
    for (const [layer, block] of model.config.blocks.entries())
      spans.forEach((span, column) => {
        const hooks = knockoutHooks(model, layer, [{ sources: [span], queries: [span[1], L] }], { reads: 'scan' });
        const reads = scansAt(layer, block).length > 0 || attentionAt(layer, block) !== undefined;
        if (!reads) expect(found.change[layer * spans.length + column]).toBe(0);
        else expectSlope(found.change[layer * spans.length + column], slopeOf(model, tokens, hooks), { layer, span });
      });
    model.dispose();
  });
});

const STORY =
  'Mary reached the bathroom. Sandra entered the hallway. A bird sang outside. Mary left the book in the garden. Where is Sandra? Answer:';
/** The room, and where the answer is read. */
const [ROOM, READ] = [8, 28];

async function storyOf(name: string) {
  const tokenizer = await loadTokenizer(join('models', name, 'tokenizer.json'));
  const ids = (text: string) => [...tokenizer.encode(text).ids];
  const [target, foil] = ['hallway', 'office'].map((word) => ids(word)[0]);
  return { tokens: ids(STORY), target, foil };
}

const strongest = (values: ArrayLike<number>) =>
  Array.from(values).reduce((best, value, k, all) => (Math.abs(value) > Math.abs(all[best] || 0) ? k : best), 0);

describe('what estimates find', () => {
  const strengths = { needle: 1, competing: 0.3, filler: 0.1, question: 0.2, self: 0.1 };
  const planted = (kind: SingleKind) =>
    createModel(plantedCheckpoint({ kind, first: strengths, second: { ...strengths, needle: 0.1 }, lambda: 0.5 }));

  it.each(BLOCK_KINDS)('is where it was planted: %s', (kind) => {
    const model = planted(kind);
    const [{ tokens, target, foil }] = plantedExamples();
    const request = { tokens, target, foil };
    const at = tokens.indexOf(target);
    const found = checkedKnockout(model, request, 1000);
    expect(strongest(found.change)).toBe(at);
    expect(strongest(knockoutGrid(model, request).change)).toBe(at);
    // With a norm behind the gate what is taken out makes the rest larger.
    expect(found.agreement[0].rank_correlation).toBeGreaterThan(0.65);
    expect(found.agreement[0].correlation).toBeGreaterThan(0.8);
    // Each channel writes a word of its own: the strongest one of the two rooms.
    const { components, agreement } = checkedAblation(model, { ...request, unit: 'channel', method: 'zero' }, 1000);
    const { index } = components[strongest(components.map(({ change }) => change))];
    expect([target, foil]).toContain(index);
    for (const { correlation } of agreement) expect(correlation).toBeGreaterThan(0.7);
    model.dispose();
  });

  it.each(['demo-mamba2', 'demo-diff-mamba2'])('agrees with every exact run in %s', async (name) => {
    const model = await loadModel(join('models', name));
    const request = await storyOf(name);
    for (const [reads, queries] of [
      ['scan', 'later'],
      ['block', 'answer'],
    ] as const) {
      const { change, spans, agreement } = checkedKnockout(model, { ...request, reads, queries }, 1000);
      const [{ point, cells, rank_correlation, correlation }] = agreement;
      expect([point, cells.length]).toEqual([reads, 4 * (queries === 'later' ? READ : READ + 1)]);
      expect([rank_correlation > 0.9, correlation > 0.7]).toEqual([true, true]);
      const exact = knockoutGrid(model, { ...request, reads, queries }).without;
      for (const cell of cells) expect(cell.exact).toBeCloseTo(exact[cell.layer * spans.length + cell.span[0]], 4);
      expect(strongest(change)).toBe(ROOM);
    }
    const heads = { ...request, unit: 'head', method: 'zero' } as const;
    const { agreement, components } = checkedAblation(model, heads, 1000);
    const exact = ablation(model, heads).components;
    expect(agreement.map(({ point }) => point)).toEqual(
      name.includes('diff') ? ['mixer_1.head', 'mixer_2.head'] : ['head'],
    );
    for (const { cells, rank_correlation } of agreement) {
      expect(rank_correlation).toBeGreaterThan(0.5);
      for (const { exact: value, estimated: _, ...part } of cells) {
        const run = exact.find((each) =>
          (['layer', 'mixer', 'index'] as const).every((key) => each[key] === part[key]),
        );
        expect(value).toBeCloseTo(run?.value as number, 4);
      }
    }
    expect(components).toHaveLength(exact.length);
    model.dispose();
  });

  it.each(['stories-mamba2', 'stories-diff-mamba2'])('agrees with the strongest exact runs in %s', async (name) => {
    const model = await loadModel(join('models', name));
    const { tokens, target, foil } = await storyOf(name);
    const [{ rank_correlation: reads }] = checkedKnockout(model, { tokens, target, foil }, 24).agreement;
    expect(reads).toBeGreaterThan(0.7);
    const spans = tokens.map((_, t): Span => [t, t + 1]);
    const parts = { tokens, target, foil, spans, unit: 'head', method: 'mean', reference: 'self' } as const;
    for (const { rank_correlation } of checkedAblation(model, parts, 24).agreement)
      expect(rank_correlation).toBeGreaterThan(0.5);
    model.dispose();
  });
});

describe('an estimate', () => {
  let model: Model;
  const tokens = [5, 9, 12, 4, 8];
  const request = { ...question, tokens };
  const parts = { ...request, unit: 'head', method: 'zero' } as const;
  beforeAll(async () => {
    model = await loadModel(bundledCase('hf-diffmamba2-all'));
  });

  it('checks the strongest cells alone, and tells how far it is', () => {
    const { agreement, change, base } = checkedKnockout(model, request, 3);
    const sizes = [...change].map(Math.abs).filter(Number.isFinite);
    const least = sizes.sort((a, b) => b - a)[2];
    expect(agreement[0].cells).toHaveLength(3);
    for (const { estimated } of agreement[0].cells)
      expect(Math.abs(estimated - base)).toBeGreaterThanOrEqual(least - 1e-9);
    expect(checkedKnockout(model, request, 0).agreement).toEqual([]);
    expect(checkedAblation(model, parts, 0).agreement).toEqual([]);
    expect(checkedAblation(model, parts, 2).agreement.map(({ cells }) => cells.length)).toEqual([2, 2]);
    const blocks = model.config.blocks.length;
    for (const steps of [knockoutAttributionSteps(model, request), ablationAttributionSteps(model, parts)])
      expect([...steps].map(({ done, total }) => [done, total])).toEqual(
        model.config.blocks.map((_, k) => [k + 1, blocks]),
      );
    for (const steps of [checkedKnockoutSteps(model, request, 3), checkedAblationSteps(model, parts, 3)]) {
      const all = [...steps];
      const [last] = all.slice(-1);
      expect(last.done).toBe(last.total);
      for (const { total } of all) expect(total).toBe(last.total);
    }
  });

  it('leaves nothing on the device, ended early or not', () => {
    const before = tf.memory().numTensors;
    knockoutAttribution(model, { ...request, reads: 'block' });
    ablationAttribution(model, { ...parts, method: 'mean', reference: [tokens, [1, 2, 3, 4, 5, 6]] });
    for (const steps of [knockoutAttributionSteps(model, request), ablationAttributionSteps(model, parts)]) {
      steps.next();
      steps.return(undefined as never);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses what the exact test refuses, and too much memory', () => {
    expect(() => knockoutAttribution(model, { ...request, layers: [9] })).toThrow('There is no layer 9');
    expect(() => knockoutAttribution(model, { ...request, spans: [[3, 9]] })).toThrow('There is no span [3, 9)');
    expect(() => ablationAttribution(model, { ...parts, method: 'mean' })).toThrow('give them as the reference');
    expect(knockoutAttributionBudget(model, request).bytes).toBeGreaterThan(0);
    expect(() => knockoutAttributionBudget(model, { ...request, memory: 10 })).toThrow('the limit is 1 MB');
    expect(() => ablationAttributionBudget(model, { ...parts, memory: 10 })).toThrow('the limit is 1 MB');
  });
});
