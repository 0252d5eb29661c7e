import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { disposeState, extend, type Hook, type Model } from '@/lib/models';
import { PATCH_METRICS } from '@/lib/vocabulary';
import { answer } from '../testing/answers';
import { bundledCase, loadModel } from '../testing/fixtures';
import { type RandomCase, randomCases, randomModel } from '../testing/randomModel';
import { type PatchRequest, type PatchWarning, patchBudget, patchGrid, patchSteps } from '.';

beforeAll(async () => {
  await openDevice();
});

const TARGET = 3;
const FOIL = 7;

/** Logits of the last position, with hooks. */
const difference = (logits: Float32Array) => logits[TARGET] - logits[FOIL];

/** Every name that a point may have in a block. */
const namesOf = (layer: number, point: string) =>
  ['', 'mixer_1.', 'mixer_2.'].map((mixer) => `blocks.${layer}.${mixer}${point}`);

/** The whole model run again, where hooks make what they see from what the clean run had there. */
function patchedByHand(
  model: Model,
  { tokens, others }: Pick<RandomCase, 'tokens' | 'others'>,
  names: readonly string[],
  edit: (value: tf.Tensor, clean: tf.Tensor) => tf.Tensor,
): number {
  const { cache, logits } = model.runWithCache([[...others]], { names });
  const hooks = [...cache].map(([name, clean]): Hook => [name, (value) => edit(value, clean)]);
  const result = difference(answer(model, tokens, hooks));
  for (const tensor of [logits, ...cache.values()]) tensor.dispose();
  return result;
}

const requestOf = ({ tokens, others }: RandomCase, point: string): PatchRequest => ({
  clean: others,
  corrupted: tokens,
  target: TARGET,
  foil: FOIL,
  point,
});

describe('a patch', () => {
  it.each(['hook_resid_pre', 'hook_delta', 'hook_y', 'hook_out_proj'])(
    'of %s equals the whole model run again with that position replaced',
    (point) => {
      fc.assert(
        fc.property(randomCases(6), (random) => {
          const model = randomModel(random);
          const grid = patchGrid(model, requestOf(random, point));
          const [clean, corrupted] = [random.others, random.tokens].map((tokens) => difference(answer(model, tokens)));
          expect(grid.clean).toBeCloseTo(clean, 4);
          expect(grid.corrupted).toBeCloseTo(corrupted, 4);
          for (const [row, layer] of grid.layers.entries())
            for (const [column, [t]] of grid.spans.entries()) {
              const at = row * grid.spans.length + column;
              const expected = patchedByHand(model, random, namesOf(layer, point), (value, source) => {
                const row = source.slice([0, t], [1, 1]);
                return tf.concat([value.slice([0, 0], [1, t]), row, value.slice([0, t + 1])], 1);
              });
              expect(grid.patched[at]).toBeCloseTo(expected, 3);
              if (clean !== corrupted)
                expect(grid.effect[at]).toBeCloseTo((grid.patched[at] - corrupted) / (clean - corrupted), 1);
            }
          model.dispose();
        }),
        { numRuns: 5 },
      );
    },
  );

  it('of a state equals replacing hook_h at that token', () => {
    fc.assert(
      fc.property(randomCases(5), (random) => {
        const model = randomModel(random);
        const grid = patchGrid(model, requestOf(random, 'hook_h'));
        for (const [row, layer] of grid.layers.entries())
          for (const [column, [t]] of grid.spans.entries()) {
            const expected = patchedByHand(model, random, namesOf(layer, `hook_h.${t}`), (_, source) => source.clone());
            expect(grid.patched[row * grid.spans.length + column]).toBeCloseTo(expected, 3);
          }
        model.dispose();
      }),
      { numRuns: 5 },
    );
  });

  it('of the states of a span equals replacing hook_h at each of its tokens', () => {
    fc.assert(
      fc.property(randomCases(6), (random) => {
        const model = randomModel(random);
        const end = random.tokens.length;
        const start = Math.floor(end / 3);
        const request = {
          ...requestOf(random, 'hook_h'),
          spans: [
            [start, end - 1],
            [start, end],
          ].filter(([a, b]) => a < b),
        };
        const grid = patchGrid(model, { ...request, spans: request.spans as [number, number][] });
        for (const [row, layer] of grid.layers.entries())
          for (const [column, [first, last]] of grid.spans.entries()) {
            const times = Array.from({ length: last - first }, (_, k) => first + k);
            const names = times.flatMap((t) => namesOf(layer, `hook_h.${t}`));
            const expected = patchedByHand(model, random, names, (_, source) => source.clone());
            expect(grid.patched[row * grid.spans.length + column]).toBeCloseTo(expected, 3);
          }
        model.dispose();
      }),
      { numRuns: 5 },
    );
  });

  it.each(['ssm', 'conv'] as const)('of the %s of decoding equals reading on from an edited state', (point) => {
    fc.assert(
      fc.property(randomCases(6), (random) => {
        const model = randomModel(random);
        const grid = patchGrid(model, requestOf(random, point));
        const L = random.tokens.length;
        for (const [row, layer] of grid.layers.entries())
          for (let t = 0; t < L - 1; t++) {
            const [clean, corrupted] = [random.others, random.tokens].map(
              (tokens) => extend(model, [tokens.slice(0, t + 1)]).state,
            );
            const tensors = new Map(corrupted.tensors);
            for (const [name, value] of clean.tensors)
              if (name.startsWith(`blocks.${layer}.`) && name.endsWith(point)) tensors.set(name, value);
            const { logits, state } = extend(model, [random.tokens.slice(t + 1)], { position: t + 1, tensors });
            const expected = difference(logits.dataSync() as Float32Array);
            expect(grid.patched[row * grid.spans.length + t]).toBeCloseTo(expected, 3);
            logits.dispose();
            for (const each of [clean, corrupted, state]) disposeState(each);
          }
        // Between equal prompts there is no effect to speak of.
        if (grid.clean !== grid.corrupted)
          for (const row of grid.layers.keys()) expect(grid.effect[(row + 1) * L - 1]).toBeCloseTo(0, 4);
        model.dispose();
      }),
      { numRuns: 5 },
    );
  });

  it('of the whole prompt at the first layer restores the clean answer', () => {
    fc.assert(
      fc.property(randomCases(), (random) => {
        const model = randomModel(random);
        const spans = [[0, random.tokens.length]] as const;
        const grid = patchGrid(model, { ...requestOf(random, 'hook_resid_pre'), layers: [0], spans });
        expect(grid.patched[0]).toBeCloseTo(grid.clean, 4);
        model.dispose();
      }),
      { numRuns: 10 },
    );
  });
});

describe('noise', () => {
  it.each(['hook_resid_pre', 'hook_h', 'ssm', 'conv'])('of %s is the other way round', (point) => {
    fc.assert(
      fc.property(randomCases(5, ['mamba1', 'mamba2', 'diff_mamba2']), (random) => {
        const model = randomModel(random);
        const ask = { target: TARGET, foil: FOIL, point };
        const [one, two] = [random.tokens, random.others];
        const noise = patchGrid(model, { ...ask, clean: one, corrupted: two, direction: 'noise' });
        const swapped = patchGrid(model, { ...ask, clean: two, corrupted: one });
        expect(noise).toMatchObject({ direction: 'noise', clean: swapped.corrupted, corrupted: swapped.clean });
        expect(noise.patched).toEqual(swapped.patched);
        expect(noise.effect).toEqual(swapped.effect);
        model.dispose();
      }),
      { numRuns: 3 },
    );
  });

  it('counts spans, positions and alignment in the clean prompt, which receives', async () => {
    const model = await loadModel(bundledCase('hf-diffmamba2-all'));
    const longer = [7, 5, 9, 12, 4, 8];
    const request = {
      ...{ clean: longer, corrupted: [5, 2, 12, 4, 8], target: TARGET, foil: FOIL, point: 'hook_resid_pre' },
      align: [{ clean: [1, 6], corrupted: [0, 5] }] as const,
      direction: 'noise' as const,
    };
    const grid = patchGrid(model, request);
    expect(grid.spans.map(([start]) => start)).toEqual([1, 2, 3, 4, 5]);
    expect(grid.effect[1]).not.toBeCloseTo(0, 3);
    expect(() => patchGrid(model, { ...request, spans: [[0, 1]] })).toThrow(
      /Token 0 of the clean prompt is aligned with none of the corrupted one/,
    );
    model.dispose();
  });
});

describe('every measure of the same runs', () => {
  it('is what the lens says of the patched logits, in one pass', async () => {
    const model = await loadModel(bundledCase('hf-diffmamba2-all'));
    const request = {
      ...{ clean: [5, 9, 12, 4, 8], corrupted: [5, 2, 12, 4, 8], target: TARGET, foil: FOIL },
      ...{
        point: 'hook_resid_pre',
        layers: [0],
        spans: [
          [1, 2],
          [2, 3],
        ] as const,
      },
    };
    const { metrics, effect, patched, clean, corrupted } = patchGrid(model, request);
    // The one differing token patched before the first layer gives the clean run back; an equal one the corrupted.
    const [good, bad] = [request.clean, request.corrupted].map((tokens) => answer(model, tokens));
    const probabilities = (z: Float32Array) => {
      const total = z.reduce((sum, v) => sum + Math.exp(v), 0);
      return z.map((v) => Math.exp(v) / total);
    };
    const measured = (z: Float32Array) => {
      const [p, from] = [probabilities(z), probabilities(good)];
      return {
        logit_difference: z[TARGET] - z[FOIL],
        target_logit: z[TARGET],
        margin: z[TARGET] - Math.max(...z.filter((_, j) => j !== TARGET)),
        target_prob: p[TARGET],
        target_logprob: Math.log(p[TARGET]),
        target_rank: z.filter((v) => v > z[TARGET]).length,
        kl: from.reduce((sum, q, j) => sum + q * Math.log(q / p[j]), 0),
      };
    };
    expect(Object.keys(metrics)).toEqual([...PATCH_METRICS]);
    for (const name of PATCH_METRICS) {
      const of = metrics[name];
      expect(of?.patched[0], name).toBeCloseTo(measured(good)[name], 4);
      expect(of?.patched[1], name).toBeCloseTo(measured(bad)[name], 4);
      expect(of?.clean, name).toBeCloseTo(measured(good)[name], 4);
      expect(of?.corrupted, name).toBeCloseTo(measured(bad)[name], 4);
    }
    expect(metrics.logit_difference).toEqual({ clean, corrupted, patched });
    expect(effect[0]).toBeCloseTo(1, 3);
    expect(effect[1]).toBeCloseTo(0, 3);
    expect(patchGrid(model, { ...request, foil: undefined }).metrics).not.toHaveProperty('logit_difference');
    model.dispose();
  });
});

describe('a warning', () => {
  const clean = [5, 9, 12, 4, 8, 9];
  const warned = (corrupted: number[], more: Partial<PatchRequest> = {}) => {
    const [random] = fc.sample(randomCases(5, ['mamba2']), { numRuns: 1, seed: 3 });
    const model = randomModel(random);
    const request = { clean, corrupted, target: 9, foil: 2, point: 'hook_resid_pre', ...more };
    const { cautions } = patchGrid(model, request);
    model.dispose();
    return cautions;
  };
  const kinds = (cautions: readonly PatchWarning[]) => [...new Set(cautions.map(({ kind }) => kind))].sort();
  const others = (cautions: readonly PatchWarning[]) => cautions.find(({ kind }) => kind === 'other_tokens');

  it('is given where clean and corrupted hardly differ, for each measure', () => {
    const same = warned(clean);
    expect(kinds(same)).toEqual(['small_gap']);
    expect(same.map(({ metric }) => metric)).toEqual([...PATCH_METRICS]);
    expect(same[0].text).toMatch(/differ by 0 in logit_difference, less than 0.5: effects are divided by that/);
  });

  it('is given without a foil', () => {
    expect(kinds(warned(clean, { foil: undefined }))).toContain('no_foil');
    expect(kinds(warned(clean))).not.toContain('no_foil');
  });

  it('names the tokens that differ beside the swapped ones', () => {
    // 9 → 2 wherever it stands is one swap, and so is 2 → 9 back.
    expect(others(warned([5, 2, 12, 4, 8, 2]))).toBeUndefined();
    const more = others(warned([5, 2, 12, 7, 8, 2]));
    expect(more?.positions).toEqual([3]);
    expect(more?.text).toMatch(/beside the swapped tokens 1, 5 in token 3 of the corrupted prompt/);
    expect(others(warned([6, 9, 12, 7, 8, 9]))?.positions).toEqual([0, 3]);
    // Neighbours are one exchange: a word of two tokens.
    expect(others(warned([5, 9, 1, 3, 8, 9]))).toBeUndefined();
    const align = [
      { clean: [0, 2], corrupted: [0, 2] },
      { clean: [2, 6], corrupted: [3, 7] },
    ] as const;
    expect(others(warned([5, 2, 3, 12, 4, 8, 2], { align }))?.positions).toEqual([2]);
  });
});

describe('on a small Diff-Mamba-2', () => {
  let model: Model;
  const clean = [5, 9, 12, 4, 8];
  const corrupted = [5, 2, 12, 4, 8];
  const request = { clean, corrupted, target: TARGET, foil: FOIL, point: 'hook_y' };
  beforeAll(async () => {
    model = await loadModel(bundledCase('hf-diffmamba2-all'));
  });

  it('patches of all heads, or all channels, together are the patch of the whole', () => {
    const { mixer } = model.config.blocks[0];
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
    const whole = patchGrid(model, request);
    for (const part of [{ heads: numbers(mixer.H) }, { channels: numbers(mixer.E) }])
      expect([...patchGrid(model, { ...request, ...part }).patched]).toEqual([...whole.patched]);
    const one = patchGrid(model, { ...request, heads: [0] });
    expect([...one.patched]).not.toEqual([...whole.patched]);
    expect(patchGrid(model, { ...request, point: 'hook_h', heads: numbers(mixer.H) }).patched[1]).toBeCloseTo(
      patchGrid(model, { ...request, point: 'hook_h' }).patched[1],
      6,
    );
  });

  it('patches one mixer, by option or by name', () => {
    const byOption = patchGrid(model, { ...request, mixer: 'mixer_2' });
    const byName = patchGrid(model, { ...request, point: 'mixer_2.hook_y' });
    expect([...byOption.patched]).toEqual([...byName.patched]);
    expect([...byOption.patched]).not.toEqual([...patchGrid(model, request).patched]);
  });

  it('aligns spans of prompts of different lengths', () => {
    const longer = [7, ...clean];
    const align = [{ clean: [1, 6], corrupted: [0, 5] }] as const;
    const grid = patchGrid(model, {
      ...request,
      clean: longer,
      align,
      point: 'hook_resid_pre',
      spans: [[0, 5]],
      layers: [0, 1],
    });
    const direct = answer(model, longer);
    expect(grid.clean).toBeCloseTo(difference(direct), 4);
    expect(grid.spans).toEqual([[0, 5]]);
    expect(() => patchGrid(model, { ...request, clean: longer })).toThrow(/equally long, or say which spans/);
  });

  it('gives the same whatever fits into a batch, and says the memory before', () => {
    const all = patchBudget(model, request);
    expect(all.rows).toBe(5);
    const one = patchBudget(model, { ...request, memory: all.bytes / 2 });
    expect(one.rows).toBeLessThan(5);
    const [whole, pieces] = [request, { ...request, memory: all.bytes / 2 }].map(
      (each) => patchGrid(model, each).patched,
    );
    pieces.forEach((value, k) => {
      expect(value).toBeCloseTo(whole[k], 5);
    });
    expect(() => patchBudget(model, { ...request, memory: 1000 })).toThrow(/the limit is 1 MB: shorten the prompt/);
  });

  it.each(['hook_y', 'hook_h', 'conv'])('stops between steps of %s and leaves no tensor behind', (point) => {
    const before = tf.memory().numTensors;
    const steps = patchSteps(model, { ...request, point });
    const first = steps.next();
    expect(first.done).toBe(false);
    steps.next();
    steps.return(undefined as never);
    expect(tf.memory().numTensors).toBe(before);
    patchGrid(model, { ...request, point });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('tells how far it is, and results as layers finish', () => {
    const steps = patchSteps(model, request);
    const seen: number[] = [];
    let step = steps.next();
    while (!step.done) {
      seen.push(step.value.result.patched.filter((value) => !Number.isNaN(value)).length);
      expect(step.value.done).toBe(seen.length);
      step = steps.next();
    }
    expect(seen[seen.length - 1]).toBeGreaterThan(0);
    expect(step.value.patched.some(Number.isNaN)).toBe(false);
  });

  it.each([
    [{ target: 99999 }, /Token id 99999 is outside the vocabulary/],
    [{ foil: TARGET }, /the same token/],
    [{ layers: [99] }, /There is no layer 99/],
    [{ position: 5 }, /There is no position 5/],
    [{ spans: [[2, 9]] as const }, /There is no span \[2, 9\)/],
    [{ point: 'hook_nothing' }, /has no hook point hook_nothing/],
    [{ point: 'hook_A' }, /not one row per token/],
    [{ heads: [99] }, /There is no head 99/],
    [{ channels: [0], heads: [0] }, /not both/],
    [{ point: 'hook_B', channels: [0] }, /more than one axis/],
    [{ align: [{ clean: [0, 2], corrupted: [0, 1] }] as const }, /different lengths/],
  ])('refuses %j in a sentence', (change, message) => {
    expect(() => patchGrid(model, { ...request, ...change })).toThrow(message);
    expect(() => patchGrid(model, { ...request, ...change })).toThrow(InputError);
  });
});
