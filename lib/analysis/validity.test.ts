import { beforeAll, describe, expect, it } from 'vitest';
import { isDifferentialKind } from '@/lib/architectures';
import { BLOCK_KINDS, type SingleKind } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { Random } from '@/lib/random';
import {
  type AllocationRequest,
  allocation,
  faithfulness,
  finalResidual,
  knockoutGrid,
  logitDirection,
  logitForm,
  normForm,
  ORDERS,
  type Order,
  operatorOf,
  patchGrid,
  summariseAllocation,
  summariseFaithfulness,
} from '.';
import { baselineOf } from './causal/continuation';
import { scoresOf } from './faithfulness/orders';
import { drain } from './steps';
import { attentionSnr } from './testing/attentionSnr';
import { blocksOf } from './testing/fixtures';
import { keyOf, type Plan, plantedCheckpoint, plantedExamples, plantedReads } from './testing/plantedModel';

/**
 * Models whose answer rests on one word of the prompt by construction. α is larger at the filler, of which next to nothing is
 * written to the residual stream: what looks at α alone is led astray, what looks at what is written is not.
 */
const FIRST = { needle: 0.5, competing: 0.4, filler: 1, question: 0.1, self: 0.2 };
const SECOND = { needle: 0.05, competing: 0.35, filler: 0.4, question: 0.05, self: 0 };
const WRITTEN = { needle: 1, competing: 0.5, filler: 0.02, question: 0.5, self: 0.2 };

const plan = (kind: SingleKind): Plan => ({
  kind,
  first: FIRST,
  written: WRITTEN,
  ...(isDifferentialKind(kind) && { second: SECOND, lambda: kind === 'diff_s6' ? 1 : 0.6 }),
});

beforeAll(async () => {
  await openDevice();
});

/** The largest of the tokens before the last. */
const top = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let j = 1; j < values.length; j++) if (values[j] > values[best]) best = j;
  return best;
};

function withPlanted(
  kind: SingleKind,
  check: (model: Model, request: AllocationRequest, needle: number) => void,
): void {
  const model = createModel(plantedCheckpoint(plan(kind)));
  for (const request of plantedExamples().slice(0, 3)) {
    const needle = request.tokens.findIndex((token) => keyOf(token) === 'needle');
    // The construction says so itself: nothing before the read-out is written as loudly.
    expect(top(plantedReads(plan(kind), request.tokens).net.slice(0, -1))).toBe(needle);
    check(model, request, needle);
  }
  model.dispose();
}

describe.each(BLOCK_KINDS)('the planted needle of %s', (kind) => {
  it('is the class that allocation finds, and the source that norm and logit maps find', () => {
    withPlanted(kind, (model, request, needle) => {
      const { tokens, target } = request;
      const L = tokens.length;
      const { net } = summariseAllocation([[allocation(model, request)[0]]], undefined);
      const shares = Object.entries(net.norm_share).map(([name, share]) => [share?.mean ?? 0, name] as const);
      expect(shares.sort((a, b) => b[0] - a[0])[0][1]).toBe('needle');
      expect(net.needle_against_context?.mean).toBeGreaterThan(0.5);
      const [cache] = blocksOf(model, [[...tokens]]);
      const operator = operatorOf(model, cache);
      const branch = cache.scans.has('single') ? 'single' : 'diff';
      const row = (map: Float32Array) => map.subarray((L - 1) * L, L * L - 1);
      expect(top(row(normForm(cache, operator, branch).map))).toBe(needle);
      const direction = logitDirection(model, finalResidual(model, [tokens]), target);
      expect(top(row(logitForm(cache, operator, direction, branch).map))).toBe(needle);
    });
  });

  it('is what rollouts of shares put first', () => {
    withPlanted(kind, (model, request, needle) => {
      const pass = baselineOf(model, request.tokens, request.tokens.length - 1);
      for (const [order, scores] of drain(scoresOf(model, pass, request, ['rollout_norm', 'rollout_alti'])))
        expect(top(scores), order).toBe(needle);
    });
  });

  it('is what the answer loses most by when it is knocked out, and what brings it back when it is patched in', () => {
    withPlanted(kind, (model, { tokens, target, foil }, needle) => {
      const { change } = knockoutGrid(model, { tokens, target, foil, reads: 'block' });
      expect(top(change.slice(0, -1).map((value) => -value))).toBe(needle);
      // In place of the needle a word that nothing reads.
      const corrupted = tokens.map((token, j) => (j === needle ? tokens[0] : token));
      const { effect } = patchGrid(model, { clean: tokens, corrupted, target, foil, point: 'hook_resid_pre' });
      expect(top(effect.slice(0, -1))).toBe(needle);
      expect(effect[needle]).toBeCloseTo(1, 2);
    });
  });

  it('is missed by what looks at α alone, and by gradient times input', () => {
    withPlanted(kind, (model, request, needle) => {
      const { tokens } = request;
      const pass = baselineOf(model, tokens, tokens.length - 1);
      const scores = drain(scoresOf(model, pass, request, ['s6', 'rollout_plain', 'gradient_input', 'norm']));
      // Of plain blocks the filler comes first; a difference of α tells nothing of what its branches write.
      const led = (order: 's6' | 'rollout_plain') => top(scores.get(order) ?? []);
      if (!isDifferentialKind(kind) || kind === 'diff_mamba2e')
        for (const order of ['s6', 'rollout_plain'] as const) expect(keyOf(tokens[led(order)]), order).toBe('filler');
      // Scaling an embedding changes nothing behind the first norm, so its slope along itself says nothing.
      const slopes = scores.get('gradient_input') ?? new Float64Array(1);
      expect(Math.max(...slopes.map(Math.abs))).toBeLessThan(0.05);
      expect(top(scores.get('norm') ?? [])).toBe(needle);
      const [cache] = blocksOf(model, [[...tokens]]);
      const exact = summariseAllocation([[allocation(model, request)[0]]], undefined).net.needle_against_context?.mean;
      const snr = attentionSnr(cache, tokens.length - 1, request.needle);
      // attention_snr holds the needle's α against all other α, question and read-out token among them.
      if (Number.isFinite(snr)) expect(snr).toBeLessThan((exact ?? 1) - 0.15);
    });
  });
});

describe('the needle against all that is read', () => {
  it('is no measure of noise: question and read-out token count as such, where of the story only the needle is read', () => {
    const own: Plan = {
      kind: 'diff_mamba1',
      first: { needle: 0.5, competing: 0.4, filler: 0.5, question: 0.4, self: 0.5 },
      second: { needle: 0, competing: 0.4, filler: 0.5, question: 0, self: 0 },
    };
    const model = createModel(plantedCheckpoint(own));
    const [request] = plantedExamples();
    const { net, removed } = summariseAllocation([[allocation(model, request)[0]]], undefined);
    expect(removed?.filler?.mean).toBeCloseTo(1, 3);
    expect(net.needle_against_context?.mean).toBeCloseTo(1, 3);
    expect(net.norm_share.needle?.mean).toBeLessThan(0.3);
    model.dispose();
  });
});

describe('deletion and insertion of a planted model', () => {
  const curvesOf = (kind: SingleKind) => {
    const model = createModel(plantedCheckpoint(plan(kind)));
    const prompts = plantedExamples()
      .slice(0, 4)
      .map((request) => faithfulness(model, { ...request, points: 8, draws: 8 }, new Random(1)));
    model.dispose();
    return prompts;
  };

  it.each(['mamba1', 'mamba2', 'diff_mamba2'] as const)(
    'of %s tell what finds the needle from what does not',
    (kind) => {
      const prompts = curvesOf(kind);
      const found = summariseFaithfulness(prompts, { random: new Random(2), resamples: 50 });
      expect(found.map(({ order }) => order)).toEqual([...ORDERS]);
      const of = (order: Order) => {
        const one = found.find((each) => each.order === order);
        return {
          deletion: one?.deletion_area?.mean ?? Number.NaN,
          insertion: one?.insertion_area?.mean ?? Number.NaN,
          one,
        };
      };
      for (const order of ['logit', 'norm', 'rollout_norm', 'rollout_alti'] as const) {
        expect(of(order).deletion, order).toBeLessThan(of('random').deletion);
        expect(of(order).insertion, order).toBeGreaterThan(of('random').insertion);
        const above = of(order).one?.above_random;
        expect(above?.mean, order).toBeGreaterThan(0);
        expect(above?.low, order).toBeLessThanOrEqual(above?.mean ?? Number.NaN);
      }
      if (kind !== 'diff_mamba2') expect(of('s6').deletion).toBeGreaterThan(of('norm').deletion);
      // Curves begin and end where they must, whatever the order.
      const [first] = prompts;
      const ends = [...first.values()].map(({ deletion, insertion }) => [
        deletion[0] - insertion[8],
        deletion[8] - insertion[0],
      ]);
      for (const [whole, none] of ends) {
        expect(whole).toBeCloseTo(0, 4);
        expect(none).toBeCloseTo(0, 4);
      }
      expect(new Set([...first.values()].map(({ deletion }) => deletion[0].toFixed(3))).size).toBe(1);
    },
  );

  it('remove what a knock-out of every layer removes', () => {
    const model = createModel(plantedCheckpoint(plan('mamba2')));
    const [request] = plantedExamples();
    const n = request.tokens.length - 1;
    const curves = faithfulness(model, { ...request, orders: ['logit'], points: n }, new Random(1)).get('logit');
    const { without, frozen_norms: frozen } = knockoutGrid(model, { ...request, reads: 'block', together: true });
    // The first step of deletion takes the needle alone.
    const needle = request.tokens.findIndex((token) => keyOf(token) === 'needle');
    expect(curves?.deletion[1]).toBeCloseTo(without[needle], 3);
    expect(curves?.frozen_norms.deletion[1]).toBeCloseTo(frozen.without[needle], 3);
    expect(frozen.without[needle]).not.toBeCloseTo(without[needle], 3);
    model.dispose();
  });

  it('refuse a prompt without a source', () => {
    const model = createModel(plantedCheckpoint(plan('mamba2')));
    expect(() => faithfulness(model, { tokens: [1], target: 2 }, new Random(1))).toThrow(/no source to remove/);
    model.dispose();
  });
});
