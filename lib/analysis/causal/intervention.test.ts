import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import type { Hook, Model } from '@/lib/models';
import { lensOf } from '../lens';
import { residualsOf } from '../residuals';
import { differenceOf } from '../testing/answers';
import { bundledCase, loadModel } from '../testing/fixtures';
import { randomCases, randomModel } from '../testing/randomModel';
import {
  ablation,
  type InterventionRequest,
  intervention,
  interventionBudget,
  interventionSteps,
  lambdaOverride,
} from '.';

beforeAll(async () => {
  await openDevice();
});

const question = { target: 3, foil: 7, candidates: [3, 7, 9] };

describe('one change', () => {
  it('gives what an ablation of that part gives', () => {
    fc.assert(
      fc.property(randomCases(5), fc.constantFrom('zero', 'mean'), ({ tokens, ...random }, method) => {
        const model = randomModel(random);
        for (const unit of ['block', 'channel'] as const) {
          const reference = method === 'mean' ? ('self' as const) : undefined;
          const { components } = ablation(model, { ...question, tokens, unit, method, reference });
          const { layer, mixer, index, value, kl } = components[components.length - 1];
          const found = intervention(model, {
            ...question,
            tokens,
            method,
            reference,
            removed: [{ layer, unit, mixer, index }],
          });
          expect(found.changed?.value).toBeCloseTo(value, 4);
          expect(found.changed?.kl).toBeCloseTo(kl, 4);
        }
        model.dispose();
      }),
      { numRuns: 6 },
    );
  });
});

describe('on a small Diff-Mamba-2', () => {
  let model: Model;
  const tokens = [5, 9, 12, 4, 8];
  const request: InterventionRequest = { ...question, tokens, lambdas: [{ layer: 1, value: 0 }] };
  beforeAll(async () => {
    model = await loadModel(bundledCase('hf-diffmamba2-all'));
  });

  it('several changes act together, in λ and in parts', () => {
    const count = model.config.blocks.length;
    const all = Array.from({ length: count }, (_, layer) => layer);
    const together = lambdaOverride(model, { ...question, tokens, values: [0.25], together: true }).runs[0];
    const lambdas = all.map((layer) => ({ layer, value: 0.25 }));
    expect(intervention(model, { ...request, lambdas }).changed?.value).toBeCloseTo(together.value, 5);
    const removed = [0, 1].map((index) => ({ layer: 1, unit: 'head', mixer: 'mixer_1', index }) as const);
    const both = intervention(model, { ...request, lambdas: [], removed }).changed?.value;
    for (const part of removed)
      expect(intervention(model, { ...request, lambdas: [], removed: [part] }).changed?.value).not.toBeCloseTo(
        both as number,
        6,
      );
    const silent = intervention(model, {
      ...request,
      lambdas: [],
      removed: [{ layer: 1, unit: 'mixer', mixer: 'mixer_2' }],
    });
    expect(intervention(model, request).changed?.value).toBeCloseTo(silent.changed?.value as number, 4);
  });

  it('takes means of several layers from the reference prompts, and says so', () => {
    const removed = [1, 0].map((layer) => ({ layer, unit: 'block' }) as const);
    const reference = [
      [1, 2, 3, 9, 4, 6],
      [4, 5],
    ];
    const found = intervention(model, { ...request, lambdas: [], removed, method: 'mean', reference });
    expect(found.reference).toEqual({ source: 'prompts', prompts: 1, left_out: 1 });
    const names = [0, 1].map((layer) => `blocks.${layer}.hook_out_proj`);
    const { cache, logits } = model.runWithCache([reference[0]], { names });
    logits.dispose();
    const hooks = names.map((name): Hook => [name, () => (cache.get(name) as tf.Tensor).slice([0, 1, 0], [1, 5, -1])]);
    expect(found.changed?.value).toBeCloseTo(differenceOf(model, tokens, hooks), 4);
    for (const value of cache.values()) value.dispose();
    expect(intervention(model, { ...request, method: 'mean' }).reference).toBeNull();
  });

  it('the layers before the change stay, the others are the logit lens of the changed run', () => {
    const { layers, base, changed } = intervention(model, request);
    const { statistics } = lensOf(model, residualsOf(model, [tokens]), {
      targets: [3],
      candidates: [[3, 7, 9]],
      positions: [4],
    });
    layers.forEach((each, layer) => {
      expect(each.layer).toBe(layer);
      expect(each.base.margin).toBeCloseTo(statistics.margin[layer + 1], 4);
      expect(each.base.snr_candidates).toBeCloseTo(statistics.snr_candidates[layer + 1], 3);
    });
    expect(layers[0].changed).toEqual(layers[0].base);
    expect(layers[1].changed.value).not.toBeCloseTo(layers[1].base.value, 4);
    const last = layers[layers.length - 1];
    expect(last.base.value).toBeCloseTo(base.value, 4);
    expect(last.changed.value).toBeCloseTo(changed?.value as number, 4);
  });

  it('stops between blocks and leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    const steps = interventionSteps(model, request);
    expect(steps.next().value).toMatchObject({ result: { changed: null } });
    steps.return(undefined as never);
    intervention(model, request);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    [{ lambdas: [] }, /Nothing is changed/],
    [{ lambdas: [{ layer: 9, value: 1 }] }, /There is no layer 9/],
    [{ lambdas: [{ layer: 0, value: Number.NaN }] }, /finite/],
    [{ removed: [{ layer: 0, unit: 'head', index: 0 }] as const }, /has no head 0/],
    [{ removed: [{ layer: 0, unit: 'head', mixer: 'mixer_1', index: 99 }] as const }, /has no head mixer_1 99/],
    [{ removed: [{ layer: 1, unit: 'block' }], method: 'mean' } as const, /give them as the reference/],
    [{ memory: 10 }, /the limit is 1 MB/],
  ])('refuses %j in a sentence', (change, message) => {
    expect(() => interventionBudget(model, { ...request, ...change })).toThrow(message);
    expect(() => interventionBudget(model, { ...request, ...change })).toThrow(InputError);
  });
});
