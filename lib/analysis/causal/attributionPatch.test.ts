import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { hookPointsOf, scansAt } from '@/lib/architectures/places';
import { BLOCK_KINDS, isHybrid, loadCheckpoint, type SingleKind } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, type Hook, type Model } from '@/lib/models';
import { hybridCases } from '@/lib/models/testing/hybrids';
import { loadTokenizer } from '@/lib/tokenizer';
import { ATTRIBUTION_METRICS } from '@/lib/vocabulary';
import { bundledCase, loadModel } from '../testing/fixtures';
import { plantedCheckpoint, plantedExamples } from '../testing/plantedModel';
import { type RandomCase, randomCases, randomModel } from '../testing/randomModel';
import { tidied } from '../tidied';
import {
  type AttributedPoint,
  attributedEffects,
  attributionBudget,
  attributionPatch,
  attributionPatchSteps,
  type CheckedCell,
  checkedAttribution,
  type PatchAttribution,
  type PatchAttributionRequest,
  patchGrid,
} from '.';

beforeAll(async () => {
  await openDevice();
});

const [TARGET, FOIL] = [3, 7];

const requestOf = (
  { tokens, others }: RandomCase,
  more: Partial<PatchAttributionRequest>,
): PatchAttributionRequest => ({
  clean: others,
  corrupted: tokens,
  target: TARGET,
  foil: FOIL,
  ...more,
});

/** ∂(z_target − z_foil)/∂ at these points of the whole model, with what stood there, over one tape. */
function wholeGradients(model: Model, tokens: readonly number[], names: readonly string[]) {
  const kept = model.runWithCache([[...tokens]], { names });
  const values = names.map((name) => kept.cache.get(name) as tf.Tensor);
  const difference = (...edits: tf.Tensor[]) => {
    const hooks = names.map((name, k): Hook => [name, (value) => value.add(edits[k])]);
    const logits = model.forward([[...tokens]], { hooks, logits: 'last' }).reshape([-1]);
    return logits
      .slice([TARGET], [1])
      .sub(logits.slice([FOIL], [1]))
      .sum() as tf.Scalar;
  };
  const gradients = tf.grads(difference)(values.map((value) => tf.zerosLike(value)));
  const plain = (tensors: tf.Tensor[]) => new Map(names.map((name, k) => [name, [...tensors[k].dataSync()]]));
  return { values: plain(values), gradients: plain(gradients) };
}

const valuesAt = (model: Model, tokens: readonly number[], names: readonly string[]) => {
  const { cache } = model.runWithCache([[...tokens]], { names });
  return new Map(names.map((name) => [name, [...(cache.get(name) as tf.Tensor).dataSync()]]));
};

/** Σ_c (source − own)[t,c] gradient[t,c]. */
function byHand(source: number[], own: number[], gradient: number[], L: number): number[] {
  const width = own.length / L;
  return Array.from({ length: L }, (_, t) => {
    let sum = 0;
    for (let c = t * width; c < (t + 1) * width; c++) sum += (source[c] - own[c]) * gradient[c];
    return sum;
  });
}

/** Like toBeCloseTo, by the size of what is compared. */
function expectNear(found: number, expected: number) {
  expect(Math.abs(found - expected)).toBeLessThan(2e-3 * Math.max(1, Math.abs(expected)));
}

describe('attribution patching', () => {
  it('is the difference of the runs times the gradient of the whole model, at every point of every architecture', () => {
    fc.assert(
      fc.property(randomCases(6), (random) => {
        const model = randomModel(random);
        const { blocks } = model.config;
        const L = random.tokens.length;
        const points = ['hook_y', 'hook_delta_2', 'hook_skip', 'hook_diff'].filter((point) =>
          blocks.some((_, layer) => namesOf(model, layer, point).length > 0),
        );
        const found = attributionPatch(model, requestOf(random, { points }));
        for (const { point, layers, patched } of found.points)
          for (const layer of found.layers) {
            const names = namesOf(model, layer, point);
            expect(layers.includes(layer)).toBe(names.length > 0);
            if (names.length === 0) {
              for (let t = 0; t < L; t++) expect(patched[layer * L + t]).toBeNaN();
              continue;
            }
            const own = tidied(() => wholeGradients(model, random.tokens, names));
            const source = tidied(() => valuesAt(model, random.others, names));
            for (let t = 0; t < L; t++) {
              const changes = names.map(
                (name) =>
                  byHand(source.get(name) ?? [], own.values.get(name) ?? [], own.gradients.get(name) ?? [], L)[t],
              );
              expectNear(
                patched[layer * L + t] - found.corrupted,
                changes.reduce((a, b) => a + b),
              );
            }
          }
        model.dispose();
      }),
      { numRuns: 12 },
    );
  });

  it('of a state follows every later token that reads it', () => {
    fc.assert(
      fc.property(randomCases(5), (random) => {
        const model = randomModel(random);
        const L = random.tokens.length;
        const found = attributionPatch(model, requestOf(random, { points: ['hook_h'] }));
        for (const layer of found.layers)
          for (let t = 0; t < L; t++) {
            const names = scansAt(layer, model.config.blocks[layer]).map(({ at }) => at(`h.${t}`));
            const own = tidied(() => wholeGradients(model, random.tokens, names));
            const source = tidied(() => valuesAt(model, random.others, names));
            const change = names.reduce(
              (sum, name) =>
                sum + byHand(source.get(name) ?? [], own.values.get(name) ?? [], own.gradients.get(name) ?? [], 1)[0],
              0,
            );
            expectNear(found.points[0].patched[layer * L + t] - found.corrupted, change);
          }
        model.dispose();
      }),
      { numRuns: 6 },
    );
  });

  it('of the residual stream goes through the norm as it is, and is exact behind the last block', () => {
    fc.assert(
      fc.property(randomCases(6), (random) => {
        const model = randomModel(random);
        const { blocks, d, epsilon } = model.config;
        const L = random.tokens.length;
        const found = attributionPatch(model, requestOf(random, { points: ['hook_resid_pre', 'hook_out_proj'] }));
        const [stream, output] = found.points;
        const exact = patchGrid(model, { ...requestOf(random, {}), point: 'hook_out_proj' });
        const last = blocks.length - 1;
        for (let t = 0; t < L; t++) expectNear(output.patched[last * L + t], exact.patched[last * L + t]);
        for (const layer of found.layers) {
          const at = ['resid_pre', 'normalized_input', 'resid_post'].map((point) => `blocks.${layer}.hook_${point}`);
          const own = tidied(() => wholeGradients(model, random.tokens, at));
          const source = tidied(() => valuesAt(model, random.others, at));
          const of = (map: Map<string, number[]>, k: number) => map.get(at[k]) as number[];
          const weight = model.parameters.get(`backbone.layers.${layer}.norm.weight`)?.dataSync() as Float32Array;
          const normed = Array.from({ length: L }, (_, t) => {
            const row = of(source, 0).slice(t * d, (t + 1) * d);
            const rms = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / d + epsilon);
            return row.map((value, c) => (value / rms) * weight[c]);
          }).flat();
          const past = byHand(of(source, 0), of(own.values, 0), of(own.gradients, 2), L);
          const through = byHand(normed, of(own.values, 1), of(own.gradients, 1), L);
          for (let t = 0; t < L; t++) expectNear(stream.patched[layer * L + t] - found.corrupted, past[t] + through[t]);
        }
        model.dispose();
      }),
      { numRuns: 6 },
    );
  });

  it.each(hybridCases().map(({ name, folder, tokens: [tokens] }) => ({ name, folder, tokens })))(
    'takes what a mixer writes by its slope where an MLP or a multiplier comes before the stream: $name',
    async ({ folder, tokens }) => {
      const model = createModel(await loadCheckpoint(folder));
      const others = tokens.map((token, t) => (t === 1 ? (token + 1) % model.config.vocabulary : token));
      const request = { clean: others, corrupted: tokens, target: TARGET, foil: FOIL };
      const found = attributionPatch(model, { ...request, points: ['hook_out_proj'] });
      const [{ patched }] = found.points;
      model.config.blocks.forEach((block, layer) => {
        if (!isHybrid(block)) return;
        const name = `blocks.${layer}.hook_out_proj`;
        const own = tidied(() => wholeGradients(model, tokens, [name]));
        const source = tidied(() => valuesAt(model, others, [name]));
        const [values, gradients] = [own.values, own.gradients].map((each) => each.get(name) as number[]);
        byHand(source.get(name) as number[], values, gradients, tokens.length).forEach((change, t) => {
          expectNear(patched[layer * tokens.length + t] - found.corrupted, change);
        });
      });
      model.dispose();
    },
  );

  it('adds up to the whole way from the one run to the other over many steps', async () => {
    const model = await loadModel(join('models', 'demo-diff-mamba2'));
    const pair = await storyPair('demo-diff-mamba2');
    const of = (steps: number) => attributionPatch(model, { ...pair, layers: [0], points: ['hook_resid_pre'], steps });
    const missing = (steps: number) => {
      const { points, clean, corrupted } = of(steps);
      return Math.abs(points[0].patched.reduce((sum, value) => sum + value - corrupted, 0) - (clean - corrupted));
    };
    const [one, many] = [missing(1), missing(24)];
    expect(one).toBeGreaterThan(10);
    expect(many).toBeLessThan(0.35 * one);
    model.dispose();
  });

  it.each(ATTRIBUTION_METRICS)('follows %s', async (metric) => {
    const model = await loadModel(join('models', 'demo-mamba2'));
    const pair = await storyPair('demo-mamba2');
    const last = model.config.blocks.length - 1;
    const found = attributionPatch(model, { ...pair, metric, layers: [last], points: ['hook_out_proj'] });
    const exact = patchGrid(model, { ...pair, layers: [last], point: 'hook_out_proj' }).metrics[metric];
    expect(found.clean).toBeCloseTo(exact?.clean as number, 3);
    expect(found.corrupted).toBeCloseTo(exact?.corrupted as number, 3);
    found.points[0].patched.forEach((value, k) => {
      expect(value).toBeCloseTo(exact?.patched[k] as number, 3);
    });
    model.dispose();
  });

  it('carries the corrupted run into the clean prompt with noise, over aligned prompts of unequal lengths, and over spans', () => {
    fc.assert(
      fc.property(randomCases(6, ['mamba1', 'mamba2']), (random) => {
        const model = randomModel(random);
        const clean = [5, ...random.others];
        const align = [{ clean: [1, clean.length] as const, corrupted: [0, random.tokens.length] as const }];
        const asked = (more: Partial<PatchAttributionRequest>) =>
          attributionPatch(model, {
            ...requestOf(random, { points: ['hook_y'], direction: 'noise', ...more }),
            clean,
            align: align as never,
          });
        const single = asked({});
        expect(single.spans).toEqual(random.tokens.map((_, t) => [t + 1, t + 2]));
        const whole = asked({ spans: [[1, clean.length]] });
        const changes = [...single.points[0].patched].map((value) => value - single.clean);
        const columns = single.spans.length;
        whole.layers.forEach((_, row) => {
          const sum = changes.slice(row * columns, (row + 1) * columns).reduce((a, b) => a + b);
          expectNear(whole.points[0].patched[row] - whole.clean, sum);
        });
        model.dispose();
      }),
      { numRuns: 6 },
    );
  });
});

/** Names that a point has in a block. */
function namesOf(model: Model, layer: number, point: string): string[] {
  const known = hookPointsOf(model.config.blocks[layer]);
  return ['', 'mixer_1.', 'mixer_2.'].flatMap((mixer) =>
    known.has(`${mixer}${point}`) ? [`blocks.${layer}.${mixer}${point}`] : [],
  );
}

const story = (room: string) =>
  `Mary reached the bathroom. Sandra entered the ${room}. A bird sang outside. Mary left the book in the garden. Where is Sandra? Answer:`;
/** The room, and where the answer is read. */
const [ROOM, READ] = [8, 28];

async function storyPair(name: string) {
  const tokenizer = await loadTokenizer(join('models', name, 'tokenizer.json'));
  const ids = (text: string) => [...tokenizer.encode(text).ids];
  const [target, foil] = ['hallway', 'office'].map((word) => ids(word)[0]);
  return { clean: ids(story('hallway')), corrupted: ids(story('office')), target, foil };
}

const strongest = (values: Float64Array) =>
  values.reduce((best, value, k) => (Math.abs(value) > Math.abs(values[best]) ? k : best), 0);

describe('what attribution patching finds', () => {
  const strengths = { needle: 1, competing: 0.3, filler: 0.1, question: 0.2, self: 0.1 };
  const planted = (kind: SingleKind) =>
    createModel(plantedCheckpoint({ kind, first: strengths, second: { ...strengths, needle: 0.1 }, lambda: 0.5 }));
  const [example] = plantedExamples();
  const at = example.tokens.indexOf(example.target);
  /** The room's word against another one of the prompt. */
  const swapped = (other: number) => ({
    clean: example.tokens,
    corrupted: example.tokens.map((token, t) => (t === at ? example.tokens[other] : token)),
    target: example.target,
    foil: example.foil,
  });
  const estimated = (found: PatchAttribution, point: string) =>
    attributedEffects(found.points.find((each) => each.point === point) as AttributedPoint, found);

  it.each(BLOCK_KINDS)('is where it was planted: %s', (kind) => {
    const model = planted(kind);
    const request = swapped(1);
    for (const direction of ['denoise', 'noise'] as const) {
      const found = attributionPatch(model, { ...request, direction });
      for (const [point, column] of [
        ['hook_resid_pre', at],
        ['hook_out_proj', example.tokens.length - 1],
      ] as const) {
        expect(strongest(patchGrid(model, { ...request, direction, point }).effect)).toBe(column);
        expect(strongest(estimated(found, point))).toBe(column);
      }
    }
    model.dispose();
  });

  it.each(BLOCK_KINDS)('is found over steps where the slope at one end is 0: %s', (kind) => {
    // Nothing is written of the word before the room: neither x nor B, so that their product has no slope.
    const model = planted(kind);
    const request = { ...swapped(at - 1), points: ['hook_resid_pre'] };
    const once = estimated(attributionPatch(model, request), 'hook_resid_pre');
    expect(Math.abs(once[at])).toBeLessThan(0.2);
    const often = estimated(attributionPatch(model, { ...request, steps: 4 }), 'hook_resid_pre');
    expect(strongest(often)).toBe(at);
    expect(often[at]).toBeGreaterThan(0.4);
    model.dispose();
  });

  it.each(['demo-mamba2', 'demo-diff-mamba2'])('agrees with exact patching in %s', async (name) => {
    const model = await loadModel(join('models', name));
    const pair = await storyPair(name);
    const points = [
      'hook_resid_pre',
      'hook_out_proj',
      'hook_h',
      ...(name.includes('diff') ? ['mixer_1', 'mixer_2'] : []),
    ];
    const { agreement, layers, spans, corrupted } = checkedAttribution(model, { ...pair, points }, 1000);
    expect(agreement.map(({ point }) => point)).toEqual(points);
    for (const { point, cells, correlation, rank_correlation } of agreement) {
      expect(cells.length).toBe(layers.length * spans.length);
      expect([point, correlation > 0.9, rank_correlation > 0.3]).toEqual([point, true, true]);
    }
    const outputs = agreement[1].cells;
    const exact = patchGrid(model, { ...pair, point: 'hook_out_proj' });
    for (const { layer, span, exact: value } of outputs)
      expect(value).toBeCloseTo(exact.patched[layer * spans.length + span[0]], 4);
    const size = ({ estimated: value }: CheckedCell) => Math.abs(value - corrupted);
    const best = outputs.reduce((most, cell) => (size(cell) > size(most) ? cell : most));
    expect([best.layer, best.span[0]]).toEqual([0, READ]);
    model.dispose();
  });

  it('is the room before block 0 of the differential model, once its saturation is averaged over', async () => {
    const model = await loadModel(join('models', 'demo-diff-mamba2'));
    const request = { ...(await storyPair('demo-diff-mamba2')), points: ['hook_resid_pre'] };
    const exact = patchGrid(model, { ...request, point: 'hook_resid_pre' });
    expect(exact.effect[ROOM]).toBeGreaterThan(0.99);
    const of = (steps: number) => estimated(attributionPatch(model, { ...request, steps }), 'hook_resid_pre');
    const [once, often] = [of(1), of(8)];
    expect(once[ROOM]).toBeLessThan(0.2);
    expect(often[ROOM]).toBeGreaterThan(0.7);
    expect(strongest(often)).toBe(ROOM);
    model.dispose();
  });
});

describe('an attribution', () => {
  it('checks the strongest cells alone, and tells how far it is', async () => {
    const model = await loadModel(bundledCase('statescope-diff-mamba1'));
    const request = { clean: [1, 2, 3, 4], corrupted: [1, 5, 3, 4], target: TARGET, foil: FOIL };
    const { agreement, points, corrupted } = checkedAttribution(model, request, 3);
    for (const [k, { cells }] of agreement.entries()) {
      const sizes = [...points[k].patched].map((value) => Math.abs(value - corrupted)).filter(Number.isFinite);
      const least = sizes.sort((a, b) => b - a)[2];
      expect(cells.length).toBe(3);
      for (const { estimated } of cells) expect(Math.abs(estimated - corrupted)).toBeGreaterThanOrEqual(least - 1e-9);
    }
    expect(agreement).toHaveLength(points.length);
    expect(checkedAttribution(model, request, 0).agreement).toEqual([]);
    const steps = [...attributionPatchSteps(model, request)];
    expect(steps.map(({ done }) => done)).toEqual(model.config.blocks.map((_, k) => k + 1));
    expect(steps.every(({ total }) => total === model.config.blocks.length)).toBe(true);
    model.dispose();
  });

  it('leaves nothing on the device, ended early or not', async () => {
    const model = await loadModel(bundledCase('statescope-diff-mamba1'));
    const request = { clean: [1, 2, 3, 4], corrupted: [1, 5, 3, 4], target: TARGET, foil: FOIL, steps: 2 };
    const before = tf.memory().numTensors;
    attributionPatch(model, { ...request, points: ['hook_resid_pre', 'mixer_1', 'hook_h'] });
    expect(tf.memory().numTensors).toBe(before);
    const steps = attributionPatchSteps(model, request);
    steps.next();
    steps.return(undefined as never);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('says what cannot be asked', async () => {
    const model = await loadModel(bundledCase('statescope-diff-mamba1'));
    const budget = (more: Partial<PatchAttributionRequest>) =>
      attributionBudget(model, { clean: [1, 2], corrupted: [1, 3], target: TARGET, foil: FOIL, ...more });
    expect(budget({}).bytes).toBeGreaterThan(0);
    expect(() => budget({ points: ['conv'] })).toThrow('no attribution for conv');
    expect(() => budget({ points: ['hook_B_bar'] })).toThrow('no attribution for hook_B_bar');
    expect(() => budget({ points: ['hook_nothing'] })).toThrow('No layer that was chosen has a point hook_nothing');
    expect(() => budget({ points: ['hook_A'] })).toThrow('not one row per token');
    expect(() => budget({ steps: 0 })).toThrow('1 to 64 steps');
    expect(() => budget({ metric: 'kl', direction: 'noise' })).toThrow('no slope at the clean run');
    expect(() => budget({ foil: undefined, metric: 'logit_difference' })).toThrow('give a foil');
    expect(() => budget({ memory: 1000 })).toThrow('the limit is 1 MB');
    model.dispose();
  });
});
