import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import type { BlockKind } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import type { Hook, Model } from '@/lib/models';
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
        const { base, components } = ablation(model, { ...question, tokens, unit, method });
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
    [1, 2, 3],
    [4, 5, 6, 7],
  ];
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(bundledCase('hf-diffmamba2-all'));
  });

  it('takes means from the reference prompts', () => {
    const name = 'blocks.1.hook_out_proj';
    const rows = others.flatMap((row) => {
      const { cache, logits } = model.runWithCache([row], { names: [name] });
      const values = tf.unstack(tf.squeeze(cache.get(name) as tf.Tensor, [0]));
      logits.dispose();
      return values;
    });
    const mean = tf.mean(tf.stack(rows), 0);
    const expected = differenceOf(model, tokens, [[name, (value) => value.mul(0).add(mean)]]);
    const request = { ...question, tokens, unit: 'block', method: 'mean', layers: [1], reference: others } as const;
    expect(ablation(model, request).components[0].value).toBeCloseTo(expected, 4);
  });

  it('draws equal tokens for equal seeds, and only tokens of the reference', () => {
    const request = { ...question, tokens, unit: 'mixer', method: 'resample', layers: [1] } as const;
    const values = (seed: number, reference = others) =>
      ablation(model, { ...request, seed, reference }).components.map(({ value }) => value);
    expect(values(1)).toEqual(values(1));
    expect(values(1)).not.toEqual(values(2));
    const one = ablation(model, { ...request, reference: [[9]] }).components.map(({ value }) => value);
    const mean = ablation(model, { ...request, method: 'mean', reference: [[9]] }).components.map(({ value }) => value);
    one.forEach((value, k) => {
      expect(value).toBeCloseTo(mean[k], 4);
    });
  });

  it('reads the whole answer, not only the metric', () => {
    const { base, components } = ablation(model, {
      ...{ ...question, tokens, unit: 'block', method: 'zero' },
      candidates: [1, 2, 3, 4],
    });
    expect(base).toMatchObject({ kl: 0, target_rank: expect.any(Number), answer: expect.any(Number) });
    for (const { kl, snr_vocab, snr_candidates, target_prob, log_odds } of components) {
      expect(kl).toBeGreaterThan(0);
      expect(target_prob).toBeGreaterThan(0);
      for (const value of [snr_vocab, snr_candidates, log_odds]) expect(Number.isFinite(value)).toBe(true);
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

  it('stops between steps and leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    const steps = ablationSteps(model, { ...question, tokens, unit: 'head', method: 'mean' });
    steps.next();
    steps.return(undefined as never);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    [{ unit: 'mixer' as const, layers: [9] }, /There is no layer 9/],
    [{ reference: [[]], method: 'mean' as const }, /no tokens/],
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
