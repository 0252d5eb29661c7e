import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import type { Hook, Model } from '@/lib/models';
import { differenceOf, question } from '../testing/answers';
import { type RandomCase, randomCases, randomModel } from '../testing/randomModel';
import { ablation, attributionPatch, type KnockoutGrid, knockoutGrid, type PatchGrid, patchGrid } from '.';
import { classColumns, windowsOf } from './columns';

beforeAll(async () => {
  await openDevice();
});

describe('columns by class', () => {
  it('are the tokens of a class, in runs, in the order of classes', () => {
    const names = ['first', 'needle', 'needle', 'filler', 'needle', undefined, 'filler', 'self'] as const;
    expect(classColumns(names)).toEqual({
      classes: [
        { class: 'self', spans: [[7, 8]] },
        {
          class: 'needle',
          spans: [
            [1, 3],
            [4, 5],
          ],
        },
        { class: 'first', spans: [[0, 1]] },
        {
          class: 'filler',
          spans: [
            [3, 4],
            [6, 7],
          ],
        },
      ],
      sets: [
        [[7, 8]],
        [
          [1, 3],
          [4, 5],
        ],
        [[0, 1]],
        [
          [3, 4],
          [6, 7],
        ],
      ],
      spans: [
        [7, 8],
        [1, 5],
        [0, 1],
        [3, 7],
      ],
    });
  });

  it.each([
    ['a window that is too long', 4, /A window of 4 layers does not fit: 3 are chosen/],
    ['an empty one', 0, /takes 1 layer or more, not 0/],
  ])('refuse %s', (_, window, sentence) => {
    expect(() => windowsOf([0, 1, 5], window)).toThrow(sentence);
  });

  it('come in rows of neighbouring layers that are chosen', () => {
    expect(windowsOf([0, 2, 5], 2)).toEqual([
      [0, 2],
      [2, 5],
    ]);
    expect(windowsOf([0, 2], 1)).toEqual([[0], [2]]);
  });
});

/** Needle at token 1, competing at token 3, so that filler and what is around them has gaps. */
const classes = { needle: [1, 2], competing: [[3, 4]] } as const;

const sixTokens = (random: RandomCase) => random.tokens.length >= 6;

/** Tokens of every column of a grid by class. */
const tokensOf = ({ classes: found = [] }: Pick<PatchGrid | KnockoutGrid, 'classes'>) =>
  found.map(({ spans }) => spans.flatMap(([a, b]) => Array.from({ length: b - a }, (_, k) => a + k)));

/** What the corrupted prompt says where tokens of these points are the clean prompt's. */
function patchedByHand(
  model: Model,
  { tokens, others }: RandomCase,
  names: readonly string[],
  places: readonly number[],
) {
  const { cache, logits } = model.runWithCache([[...others]], { names: [...names] });
  const hooks = [...cache].map(
    ([name, clean]): Hook => [
      name,
      (value) => {
        if (/hook_h\.\d+$/.test(name)) return clean.clone();
        const mask = tf.tensor(
          Array.from({ length: value.shape[1] as number }, (_, t) => (places.includes(t) ? 1 : 0)),
          [1, value.shape[1] as number, ...value.shape.slice(2).map(() => 1)],
        );
        return clean.mul(mask).add(value.mul(tf.sub(1, mask)));
      },
    ],
  );
  const result = differenceOf(model, tokens, hooks);
  for (const tensor of [logits, ...cache.values()]) tensor.dispose();
  return result;
}

const namesAt = (layers: readonly number[], points: readonly string[]) =>
  layers.flatMap((layer) =>
    points.flatMap((point) => ['', 'mixer_1.', 'mixer_2.'].map((mixer) => `blocks.${layer}.${mixer}${point}`)),
  );

describe('a window of layers', () => {
  it.each(['hook_resid_pre', 'hook_out_proj', 'hook_y', 'hook_h'])(
    'with %s of a class is the whole model run again with all of it replaced',
    (point) => {
      fc.assert(
        fc.property(randomCases(7).filter(sixTokens), (random) => {
          const model = randomModel(random);
          const { length } = model.config.blocks;
          const window = Math.min(2, length);
          const pair = { clean: random.others, corrupted: random.tokens, ...question };
          const grid = patchGrid(model, { ...pair, point, window, classes });
          expect(grid.windows).toHaveLength(length - window + 1);
          const tokens = tokensOf(grid);
          for (const [row, layers] of grid.windows.entries())
            for (const [column, places] of tokens.entries()) {
              const points = point === 'hook_h' ? places.map((t) => `hook_h.${t}`) : [point];
              const expected = patchedByHand(model, random, namesAt(layers, points), places);
              expect(grid.patched[row * tokens.length + column]).toBeCloseTo(expected, 3);
            }
          model.dispose();
        }),
        { numRuns: 4 },
      );
    },
  );

  it('of knock-outs is the layers together, and a class all of its tokens', () => {
    fc.assert(
      fc.property(randomCases(7).filter(sixTokens), (random) => {
        const model = randomModel(random);
        const { length } = model.config.blocks;
        const asked = { tokens: random.tokens, ...question, queries: 'answer' as const };
        const grid = knockoutGrid(model, { ...asked, classes, window: length });
        const together = knockoutGrid(model, { ...asked, classes, together: true });
        expect([...grid.change]).toEqual([...together.change]);
        expect(grid.layers).toEqual(together.layers);
        // Classes without gaps are spans.
        const spans = [
          [1, 2],
          [3, 4],
        ] as const;
        const bySpan = knockoutGrid(model, { ...asked, spans, together: true });
        const columns = ['needle', 'competing'].map((name) =>
          (together.classes ?? []).findIndex((each) => each.class === name),
        );
        columns.forEach((column, k) => {
          expect(together.change[column]).toBeCloseTo(bySpan.change[k], 5);
        });
        expect(() => knockoutGrid(model, { ...asked, together: true, window: 1 })).toThrow(/not both/);
        model.dispose();
      }),
      { numRuns: 4 },
    );
  });

  it('of ablation replaces the blocks of all its layers, at the tokens that are asked for', () => {
    fc.assert(
      fc.property(randomCases(7).filter(sixTokens), (random) => {
        const model = randomModel(random);
        const { length } = model.config.blocks;
        const window = Math.min(2, length);
        const asked = { tokens: random.tokens, ...question, unit: 'block' as const, method: 'zero' as const, window };
        const hooked = (layers: readonly number[], places: readonly number[] | undefined) =>
          differenceOf(
            model,
            random.tokens,
            layers.map((layer) => [
              `blocks.${layer}.hook_out_proj`,
              (value) =>
                value.mul(
                  tf.tensor3d(
                    Array.from({ length: value.shape[1] as number }, (_, t) => (!places || places.includes(t) ? 0 : 1)),
                    [1, value.shape[1] as number, 1],
                  ),
                ),
            ]),
          );
        const whole = ablation(model, asked).components;
        expect(whole.map(({ layers, layer }) => layers ?? [layer])).toEqual(
          windowsOf([...model.config.blocks.keys()], window),
        );
        for (const { layers, layer, value } of whole)
          expect(value).toBeCloseTo(hooked(layers ?? [layer], undefined), 3);
        const byClass = ablation(model, { ...asked, classes }).components;
        const competing = byClass.filter((each) => each.class === 'competing');
        expect(competing).toHaveLength(whole.length);
        for (const { layers, layer, value, tokens } of competing) {
          expect(tokens).toBe(1);
          expect(value).toBeCloseTo(hooked(layers ?? [layer], [3]), 3);
        }
        expect(() => ablation(model, { ...asked, unit: 'channel', window: 2 })).toThrow(
          length > 1 ? /whole blocks or mixers/ : /.+/,
        );
        model.dispose();
      }),
      { numRuns: 4 },
    );
  });

  it('of an attribution is the sum of its layers, and the residual stream has none', () => {
    fc.assert(
      fc.property(
        randomCases(7).filter(({ kinds, ...rest }) => kinds.length > 1 && sixTokens({ kinds, ...rest })),
        (random) => {
          const model = randomModel(random);
          const pair = { clean: random.others, corrupted: random.tokens, ...question, classes };
          const [single] = attributionPatch(model, { ...pair, points: ['hook_out_proj'] }).points;
          const found = attributionPatch(model, { ...pair, points: ['hook_out_proj'], window: 2 });
          const columns = found.spans.length;
          found.windows.forEach((layers, row) => {
            for (let column = 0; column < columns; column++) {
              const change = layers.reduce(
                (sum, layer) => sum + single.patched[layer * columns + column] - found.corrupted,
                0,
              );
              expect(found.points[0].patched[row * columns + column]).toBeCloseTo(found.corrupted + change, 6);
            }
          });
          expect(attributionPatch(model, { ...pair, window: 2 }).points.map(({ point }) => point)).not.toContain(
            'hook_resid_pre',
          );
          expect(() => attributionPatch(model, { ...pair, window: 2, points: ['hook_resid_pre'] })).toThrow(/again/);
          expect(() => attributionPatch(model, { ...pair, points: ['hook_h'] })).toThrow(/without gaps/);
          model.dispose();
        },
      ),
      { numRuns: 4 },
    );
  });

  it.each(['ssm', 'conv'])('is not of %s, nor are classes with gaps', (point) => {
    const model = randomModel({ kinds: ['mamba2', 'mamba2'], seed: 3, heads: 2, groups: 1, N: 2, K: 2 });
    const pair = { clean: [1, 2, 3, 4, 5, 6], corrupted: [1, 7, 3, 4, 5, 6], ...question, point };
    expect(() => patchGrid(model, { ...pair, window: 2 })).toThrow(/one layer at a time/);
    expect(() => patchGrid(model, { ...pair, classes })).toThrow(/take spans, or hook_h/);
    expect(() => patchGrid(model, { ...pair, classes, spans: [[0, 1]] })).toThrow(/give one of the two/);
    model.dispose();
  });
});
