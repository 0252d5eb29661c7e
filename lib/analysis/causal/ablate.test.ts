import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import type { BlockKind } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import type { Hook, Model } from '@/lib/models';
import { allocation } from '../allocation';
import { needleAgainstContext, type PartReads } from '../allocation/reads';
import { differenceOf, question } from '../testing/answers';
import { bundledCase, loadModel } from '../testing/fixtures';
import { randomCases, randomModel } from '../testing/randomModel';
import { ablation, ablationSteps, lambdaOverride, type Unit } from '.';

beforeAll(async () => {
  await openDevice();
});

/** What replaces a component, written apart from the code under test. */
const EDITS: Readonly<Record<Unit, (kind: BlockKind, at: { mixer?: string; index?: number; P: number }) => Edit>> = {
  block: () => ({ point: 'hook_out_proj', channels: () => true }),
  mixer: (kind, { mixer }) => {
    if (kind === 'diff_mamba2e')
      return {
        point: 'hook_mixer_out',
        channels: (c, width) => (mixer === 'mixer_1' ? c >= width / 2 : c < width / 2),
      };
    const points = { diff_s6: 'hook_after_skip', diff_s6_mamba2: 'hook_gated_norm' } as Partial<
      Record<BlockKind, string>
    >;
    return { point: `${mixer}.${points[kind] ?? 'hook_out_proj'}`, channels: () => true };
  },
  head: (_, { mixer, index = 0, P }) => ({
    point: `${mixer ? `${mixer}.` : ''}hook_after_skip`,
    channels: (c) => Math.floor(c / P) === index,
  }),
  channel: (_, { mixer, index }) => ({
    point: `${mixer ? `${mixer}.` : ''}hook_after_skip`,
    channels: (c) => c === index,
  }),
};

interface Edit {
  readonly point: string;
  readonly channels: (channel: number, width: number) => boolean;
}

/** A hook that multiplies the chosen channels by zero, or gives them their mean over the tokens. */
function editing(layer: number, { point, channels }: Edit, method: 'zero' | 'mean'): Hook {
  return [
    `blocks.${layer}.${point}`,
    (value) => {
      const width = value.shape[2] as number;
      const mask = tf.tensor1d(Array.from({ length: width }, (_, c) => (channels(c, width) ? 1 : 0)));
      const filling = method === 'zero' ? value.mul(0) : tf.mean(value, 1, true);
      return value.mul(tf.sub(1, mask)).add(filling.mul(mask));
    },
  ];
}

describe.each(['zero', 'mean'] as const)('%s ablation', (method) => {
  const reference = method === 'mean' ? 'self' : undefined;
  it.each([
    ['block', undefined],
    ['head', ['mamba2', 'diff_mamba2', 'diff_s6_mamba2', 'diff_mamba2e']],
    ['channel', ['mamba1', 'diff_mamba1', 'diff_s6']],
    ['mixer', ['diff_mamba1', 'diff_mamba2', 'diff_mamba2e', 'diff_s6', 'diff_s6_mamba2']],
  ] as const)('of every %s equals the model run with that part replaced', (unit, kinds) => {
    fc.assert(
      fc.property(randomCases(5, kinds), (random) => {
        const model = randomModel(random);
        const { tokens } = random;
        const { base, components } = ablation(model, { ...question, tokens, unit, method, reference });
        expect(base.value).toBeCloseTo(differenceOf(model, tokens, []), 4);
        for (const part of components.filter((_, k) => k % 7 === 0)) {
          const { kind, mixer } = model.config.blocks[part.layer];
          const edit = EDITS[unit](kind, { ...part, P: mixer.P });
          expect(part.value).toBeCloseTo(differenceOf(model, tokens, [editing(part.layer, edit, method)]), 3);
          expect(part.change).toBeCloseTo(part.value - base.value, 6);
        }
        model.dispose();
      }),
      { numRuns: 4 },
    );
  });
});

describe('on a small Diff-Mamba-2', () => {
  const tokens = [5, 9, 12, 4, 8];
  const others = [
    [1, 2, 3, 9, 4],
    [4, 5, 6, 7, 2, 3, 8],
  ];
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(bundledCase('hf-diffmamba2-all'));
  });

  const name = 'blocks.1.hook_out_proj';
  /** What the last five tokens of a prompt have at the point, [1,5,d]. */
  const lastFive = (row: number[]) => {
    const { cache, logits } = model.runWithCache([row], { names: [name] });
    logits.dispose();
    return (cache.get(name) as tf.Tensor).slice([0, row.length - 5, 0], [1, 5, -1]);
  };
  const replacedBy = (values: tf.Tensor) => differenceOf(model, tokens, [[name, (value) => value.mul(0).add(values)]]);

  it('takes the mean of each token over those at its distance from the end of the reference prompts', () => {
    const expected = replacedBy(tf.mean(tf.stack(others.map(lastFive)), 0));
    const request = { ...question, tokens, unit: 'block', method: 'mean', layers: [1] } as const;
    const found = ablation(model, { ...request, reference: [...others, [1, 2, 3]] });
    expect(found.components[0].value).toBeCloseTo(expected, 4);
    expect(found.reference).toEqual({ source: 'prompts', prompts: 2, left_out: 1 });
    const self = ablation(model, { ...request, reference: 'self' });
    expect(self.reference).toEqual({ source: 'self', prompts: 1, left_out: 0 });
    expect(self.components[0].value).not.toBeCloseTo(expected, 3);
  });

  it('reads each layer of a reference prompt once, whatever is ablated', () => {
    const steps = [
      ...ablationSteps(model, { ...question, tokens, unit: 'head', method: 'mean', reference: others, layers: [1] }),
    ];
    expect(steps[steps.length - 1]).toMatchObject({ done: steps[0].total, total: steps.length });
    expect(steps.filter(({ result }) => result.components.length === 0).length).toBeGreaterThanOrEqual(4);
  });

  it('resamples all tokens from one reference prompt, drawn by the seed', () => {
    const request = { ...question, tokens, unit: 'block', method: 'resample', layers: [1] } as const;
    const value = (seed: number) => ablation(model, { ...request, seed, reference: others }).components[0].value;
    const each = others.map((row) => replacedBy(lastFive(row)));
    const drawn = Array.from({ length: 8 }, (_, seed) => value(seed));
    for (const found of drawn) expect(Math.min(...each.map((one) => Math.abs(found - one)))).toBeLessThan(1e-4);
    expect(new Set(drawn.map((found) => found.toFixed(5))).size).toBe(2);
    expect(value(3)).toBe(drawn[3]);
  });

  it('draws random tokens of the prompt itself only when it is asked to', () => {
    const request = { ...question, tokens, unit: 'block', method: 'resample', layers: [1], reference: 'self' } as const;
    const value = (seed: number) => ablation(model, { ...request, seed }).components[0].value;
    expect(value(1)).toBe(value(1));
    expect(value(1)).not.toBe(value(2));
  });

  it('reads the whole answer, not only the metric', () => {
    const { base, components } = ablation(model, {
      ...question,
      tokens,
      unit: 'block',
      method: 'zero',
      candidates: [1, 2, 3, 4],
    });
    expect(base).toMatchObject({ kl: 0, target_rank: expect.any(Number), answer: expect.any(Number) });
    for (const { kl, snr_vocab, snr_candidates, target_prob, target_log_odds, margin, margin_std } of components) {
      expect(kl).toBeGreaterThan(0);
      expect(target_prob).toBeGreaterThan(0);
      for (const value of [snr_vocab, snr_candidates, target_log_odds, margin, margin_std])
        expect(Number.isFinite(value)).toBe(true);
    }
  });

  it('overrides λ in one layer, and in all', () => {
    const request = { ...question, tokens, values: [0, 0.7] };
    const forced = (names: string, lambda: number) =>
      differenceOf(model, tokens, [[names, (value) => tf.fill(value.shape, lambda)]]);
    const { runs } = lambdaOverride(model, request);
    expect(runs).toHaveLength(2 * model.config.blocks.length);
    for (const { layers, lambda, value } of runs)
      expect(value).toBeCloseTo(forced(`blocks.${layers[0]}.hook_lambda`, lambda), 4);
    const together = lambdaOverride(model, { ...request, together: true }).runs;
    expect(together.map(({ layers }) => layers.length)).toEqual([
      model.config.blocks.length,
      model.config.blocks.length,
    ]);
    for (const { lambda, value } of together) expect(value).toBeCloseTo(forced('blocks.*.hook_lambda', lambda), 4);
    // Without branch 2 the block is that of branch 1 alone.
    const silent = ablation(model, { ...question, tokens, unit: 'mixer', method: 'zero', mixer: 'mixer_2' });
    silent.components.forEach(({ value, layer }) => {
      expect(value).toBeCloseTo(forced(`blocks.${layer}.hook_lambda`, 0), 4);
    });
  });

  it('is the unchanged run to the last digit at the model’s own λ, one layer or all', () => {
    const own = lambdaOverride(model, { ...question, tokens, values: [1], relative: true });
    expect(own.own.map(({ layer }) => layer)).toEqual([...model.config.blocks.keys()]);
    for (const { layer, lambda } of own.own) {
      const absolute = lambdaOverride(model, { ...question, tokens, values: [lambda], layers: [layer] });
      expect(absolute.runs[0]).toMatchObject({ ...absolute.base, change: 0 });
    }
    const together = lambdaOverride(model, { ...question, tokens, values: [1, 0.5], relative: true, together: true });
    for (const run of [...own.runs, together.runs[0]]) expect(run).toMatchObject({ ...own.base, change: 0 });
    expect(together.runs[1].change).not.toBe(0);
  });

  it('says what is read of the needle under each λ', () => {
    const classes = { needle: [1, 2], question: [[3, 4]] } as const;
    const asked = { ...question, tokens, values: [0, 1], relative: true, classes };
    const found = lambdaOverride(model, { ...asked, together: true });
    const [none, whole] = found.runs.map((run) => run.needle_against_context as readonly number[]);
    const reads = allocation(model, { ...question, tokens, ...classes });
    const shareOf = (part: PartReads) => needleAgainstContext({ net: part });
    whole.forEach((share, layer) => {
      expect(share).toBeCloseTo(shareOf(reads[layer].net), 6);
    });
    expect(found.needle_against_context).toEqual(whole);
    // Without branch 2, the first layer reads what its branch 1 does.
    expect(none[0]).toBeCloseTo(shareOf((reads[0].branches as { first: PartReads }).first), 4);
    expect(() => lambdaOverride(model, { ...asked, classes: {} })).toThrow(/give the needle/);
  });

  it('stops between steps and leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    const steps = ablationSteps(model, { ...question, tokens, unit: 'head', method: 'mean', reference: 'self' });
    steps.next();
    steps.return(undefined as never);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    [{ unit: 'mixer' as const, layers: [9] }, /There is no layer 9/],
    [{ reference: [[]], method: 'mean' as const }, /no tokens/],
    [{ method: 'mean' as const }, /mean takes its values from other prompts: give them as the reference, or "self"/],
    [{ method: 'resample' as const, reference: [[1, 2]] }, /longest reference prompt has 2 tokens and this one 5/],
    [{ method: 'mean' as const, reference: [[1, 2, 3, 4, 1e6]] }, /outside the vocabulary/],
    [{ reference: 'self' as const }, /zero takes nothing from a reference/],
    [{ candidates: [1e6] }, /outside the vocabulary/],
    [{ unit: 'block' as const, mixer: 'mixer_1' as const }, /have no block of mixer_1/],
  ])('refuses %j in a sentence', (change, message) => {
    const request = { ...question, tokens, unit: 'head', method: 'zero', ...change } as const;
    expect(() => ablation(model, request)).toThrow(message);
    expect(() => ablation(model, request)).toThrow(InputError);
  });

  it('refuses λ where there is none', async () => {
    const plain = await loadModel(bundledCase('hf-mamba1-bias'));
    expect(() => lambdaOverride(plain, { ...question, tokens: [1, 2], values: [0] })).toThrow(/no differential blocks/);
    expect(() => lambdaOverride(model, { ...question, tokens, values: [Number.NaN] })).toThrow(/finite numbers/);
    plain.dispose();
  });
});
