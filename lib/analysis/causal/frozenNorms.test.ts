import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { BLOCK_KINDS } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import type { Hook, Model } from '@/lib/models';
import { branchesOf, finalResidual, logitDirection, logitForm, operatorOf } from '..';
import { answer, question } from '../testing/answers';
import { blocksOf } from '../testing/fixtures';
import { randomCases, randomModel } from '../testing/randomModel';
import { ablation, intervention, knockoutGrid, lambdaOverride } from '.';

beforeAll(async () => {
  await openDevice();
});

const { target } = question;

/** The last block's contributions to the target's logit at the last token, by source, and what no token gives. */
function contributions(model: Model, tokens: readonly number[]) {
  const layer = model.config.blocks.length - 1;
  const block = blocksOf(model, [[...tokens]])[layer];
  const direction = logitDirection(model, finalResidual(model, [[...tokens]]), target);
  const branch = branchesOf(model.config.blocks[layer].kind).includes('diff') ? 'diff' : 'single';
  const { map, rest } = logitForm(block, operatorOf(model, block), direction, branch);
  const L = tokens.length;
  return { layer, row: [...map.subarray((L - 1) * L)], rest: rest[L - 1] };
}

describe('with the norms of the untouched pass', () => {
  it.each(BLOCK_KINDS)('reads taken out of the last %s block take out what the exact map says they give', (kind) => {
    fc.assert(
      fc.property(randomCases(6, [kind]), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const { layer, row, rest } = contributions(model, tokens);
        const how = { target, tokens, layers: [layer] };
        const { frozen_norms } = knockoutGrid(model, { ...how, queries: 'answer', reads: 'block' });
        row.forEach((given, j) => {
          expect(frozen_norms.change[j]).toBeCloseTo(-given, 3);
        });
        const [block] = ablation(model, { ...how, unit: 'block', method: 'zero' }).components;
        expect(block.frozen_norms.change).toBeCloseTo(-row.reduce((sum, each) => sum + each, rest), 3);
        model.dispose();
      }),
      { numRuns: 3 },
    );
  });

  it('branches of the last block add up, which they do not where a norm rescales what remains', () => {
    let apart = 0;
    fc.assert(
      fc.property(randomCases(6, ['diff_mamba1', 'diff_mamba2', 'diff_mamba2e', 'diff_s6_mamba2']), (random) => {
        const model = randomModel(random);
        const layer = model.config.blocks.length - 1;
        const how = { target, tokens: random.tokens, layers: [layer] };
        const both = ablation(model, { ...how, unit: 'mixer', method: 'zero' }).components;
        const removed = both.map(({ unit, mixer }) => ({ layer, unit, mixer }));
        const all = intervention(model, { target, tokens: random.tokens, removed });
        const sum = both.reduce((total, { frozen_norms }) => total + frozen_norms.change, 0);
        expect((all.frozen_norms?.value ?? Number.NaN) - all.base.value).toBeCloseTo(sum, 3);
        const rescaled = both.reduce((total, { change }) => total + change, 0);
        apart = Math.max(apart, Math.abs((all.changed?.value ?? 0) - all.base.value - rescaled));
        model.dispose();
      }),
      { numRuns: 6 },
    );
    expect(apart).toBeGreaterThan(0.01);
  });

  it('λ = 0 is the first branch alone at its own size', () => {
    fc.assert(
      fc.property(randomCases(5, ['diff_mamba2']), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const { runs } = lambdaOverride(model, { target, tokens, values: [0] });
        const silent = ablation(model, { target, tokens, unit: 'mixer', mixer: 'mixer_2', method: 'zero' }).components;
        silent.forEach(({ frozen_norms }, k) => {
          expect(runs[k].frozen_norms.value).toBeCloseTo(frozen_norms.value, 4);
        });
        model.dispose();
      }),
      { numRuns: 3 },
    );
  });

  it('a removal in an early block leaves every later norm dividing as before', () => {
    fc.assert(
      fc.property(randomCases(6, ['mamba1', 'mamba2', 'diff_mamba2']), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const removed = [{ layer: 0, unit: 'block' }] as const;
        const found = intervention(model, { target, tokens, removed });
        const silence: Hook = ['blocks.0.hook_out_proj', (value) => value.mul(0)];
        const expected = answer(model, tokens, held(model, tokens, [silence]))[target];
        expect(found.frozen_norms?.value).toBeCloseTo(expected, 3);
        const last = found.layers[found.layers.length - 1];
        expect(last.frozen_norms?.value).toBeCloseTo(expected, 3);
        model.dispose();
      }),
      { numRuns: 6 },
    );
  });

  it('changes nothing where nothing is removed, and leaves no tensor behind', () => {
    const [random] = fc.sample(randomCases(5, ['diff_mamba2']), 1);
    const model = randomModel(random);
    const before = tf.memory().numTensors;
    const { base, frozen_norms } = intervention(model, {
      target,
      tokens: random.tokens,
      method: 'mean',
      reference: [random.tokens],
      removed: [{ layer: 0, unit: 'block' }],
    });
    expect(frozen_norms?.value).toBeCloseTo(base.value, 4);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});

/** Hooks under which every norm is computed anew as weight ⊙ x / (its rms in the untouched pass). */
function held(model: Model, tokens: readonly number[], hooks: readonly Hook[]): Hook[] {
  const { blocks, epsilon } = model.config;
  const norms = blocks.flatMap((block, i) => {
    const of = (input: string, output: string, weight: string, groups = 1, eps = epsilon) => ({
      input: `blocks.${i}.${input}`,
      output: `blocks.${i}.${output}`,
      groups,
      eps,
      weight: model.parameters.get(`backbone.layers.${i}.${weight}`) as tf.Tensor,
    });
    const { G, epsilon: inner } = block.mixer;
    const gated = (prefix: string, mixer: string) =>
      of(`${prefix}hook_after_skip`, `${prefix}hook_gated_norm`, `${mixer}.norm.weight`, G, inner);
    const own = of('hook_resid_pre', 'hook_normalized_input', 'norm.weight');
    if (block.kind === 'mamba1') return [own];
    if (block.kind === 'mamba2') return [own, gated('', 'mixer')];
    const subln = of('hook_diff', 'hook_subln', 'subln.weight', 1, 1e-5);
    return [own, gated('mixer_1.', 'mixer_1'), gated('mixer_2.', 'mixer_2'), subln];
  });
  const names = [...norms.map(({ input }) => input), `blocks.${blocks.length - 1}.hook_resid_post`];
  const { cache, logits } = model.runWithCache([[...tokens]], { names });
  logits.dispose();
  const over = (x: tf.Tensor, rms: tf.Tensor, weight: tf.Tensor, groups: number, eps: number) => {
    const shape = [...x.shape.slice(0, 2), groups, (x.shape[2] as number) / groups];
    const size = tf.sqrt(tf.add(tf.mean(tf.square(rms.reshape(shape)), -1, true), eps));
    return x.reshape(shape).div(size).reshape(x.shape).mul(weight);
  };
  const now = new Map<string, tf.Tensor>();
  const stream = names[names.length - 1];
  return [
    ...hooks,
    ...names.map((name): Hook => [name, (x) => void now.set(name, tf.keep(x.clone()))]),
    ...norms.map(
      ({ input, output, weight, groups, eps }): Hook => [
        output,
        () => over(now.get(input) as tf.Tensor, cache.get(input) as tf.Tensor, weight, groups, eps),
      ],
    ),
    [
      'hook_norm',
      (normed) => {
        const rms = (cache.get(stream) as tf.Tensor).slice([0, tokens.length - 1, 0], [1, 1, -1]);
        const x = (now.get(stream) as tf.Tensor).slice([0, tokens.length - 1, 0], [1, 1, -1]);
        const weight = model.parameters.get('backbone.norm_f.weight') as tf.Tensor;
        return over(x, rms, weight, 1, epsilon).reshape(normed.shape);
      },
    ],
  ];
}
