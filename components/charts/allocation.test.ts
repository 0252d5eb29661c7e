import { describe, expect, it } from 'vitest';
import type { LayerAllocation, MeasuredValue } from '@/lib/api/allocation';
import { curveScale } from '@/lib/figures/scale';
import { TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import {
  allocationTable,
  barPlace,
  chanceOf,
  countsOf,
  type Found,
  headline,
  pairedAt,
  pieceAt,
  rectangles,
  runsOf,
  stacked,
  stackScale,
} from './allocation';
import { layerAxis } from './layerAxis';

type Values = Readonly<Record<TokenClass, MeasuredValue>>;

const by = (given: Partial<Record<TokenClass, number>>): Values =>
  Object.fromEntries(
    TOKEN_CLASSES.map((name) => [name, given[name] === undefined ? null : { mean: given[name] }]),
  ) as Values;

const SHARES = by({ needle: 0.5, filler: 0.3, self: 0.2 });
const SIGNED = by({ needle: 1.5, filler: -0.25, self: -0.25 });

function layer(index: number, differential: boolean): LayerAllocation {
  const read = (needle: number | null) => ({
    norm_share: SHARES,
    projection_share: SIGNED,
    alti_share: SHARES,
    logit: SIGNED,
    needle_against_context: needle === null ? null : { mean: needle, low: needle - 0.1, high: needle + 0.1 },
  });
  return {
    layer: index,
    kind: 'm',
    differential,
    chance: 0.25,
    reconstruction_error: 0,
    tokens: { needle: 2, competing: 0, first: 0, filler: 6, question: 0, self: 1 },
    net: read(0.6),
    ...(differential && {
      branch_1: read(0.4),
      lambda_branch_2: read(null),
      removed: by({ filler: 0.9 }),
      cosine: by({ filler: 1 }),
      rejection_db: by({ filler: 20 }),
    }),
  };
}

const plain: Found = { slot: 'A', layers: [layer(0, false), layer(1, false)] };
const differential: Found = { slot: 'B', layers: [layer(0, true), layer(1, true)] };
const both = [plain, differential];
const axis = layerAxis(680, 2, false);

describe('a stack of classes', () => {
  it('puts what the story says first, and leaves out what has no tokens', () => {
    expect(stacked(SHARES)).toEqual([
      { tokenClass: 'needle', from: 0, to: 0.5 },
      { tokenClass: 'filler', from: 0.5, to: 0.8 },
      { tokenClass: 'self', from: 0.8, to: 1 },
    ]);
  });

  it('grows down from zero where a class takes away', () => {
    expect(stacked(SIGNED)).toEqual([
      { tokenClass: 'needle', from: 0, to: 1.5 },
      { tokenClass: 'filler', from: -0.25, to: 0 },
      { tokenClass: 'self', from: -0.5, to: -0.25 },
    ]);
  });
});

describe('bars', () => {
  it('of both models stand side by side in the middle of a column, however narrow it is', () => {
    for (const wide of [axis, layerAxis(390, 48, true)])
      for (const at of [0, 1]) {
        const [[a, width], [b]] = [barPlace(wide, at, 0, 2), barPlace(wide, at, 1, 2)];
        expect(b).toBeGreaterThanOrEqual(a + width);
        expect((a + b + width) / 2).toBeCloseTo(wide.x(at), 6);
        expect(width).toBeGreaterThanOrEqual(1);
        expect(b + width - a).toBeLessThanOrEqual(Math.max(2, wide.pitch));
      }
  });

  it('are as high as their shares, and are found again where they are drawn', () => {
    const scale = stackScale(both, 'norm_share', 'net', [200, 0]);
    const pieces = rectangles(both, 'norm_share', 'net', axis, scale);
    expect(pieces).toHaveLength(2 * 2 * 3);
    const needle = pieces.find((one) => one.slot === 'B' && one.layer === 1 && one.tokenClass === 'needle');
    expect(needle).toMatchObject({ y: 100, height: 100 });
    for (const piece of pieces)
      expect(pieceAt(pieces, piece.x + piece.width / 2, piece.y + piece.height / 2)).toBe(piece);
    expect(pieceAt(pieces, axis.x(0), 250)).toBeUndefined();
  });

  it('of signed measures make the axis as long as they are', () => {
    const scale = stackScale(both, 'logit', 'net', [200, 0]);
    for (const { y, height } of rectangles(both, 'logit', 'net', axis, scale)) {
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y + height).toBeLessThanOrEqual(200);
    }
    expect(scale.y(0)).toBeLessThan(200);
    const shares = curveScale([0, 1], false, 200, 0, 4);
    expect(stackScale(both, 'alti_share', 'net', [200, 0]).y(1)).toBe(shares.y(1));
  });
});

describe('the headline', () => {
  it('stands at its block, of the part that is shown; plain blocks have one part', () => {
    expect(headline(plain.layers, 'branch_1', 3)).toEqual([
      undefined,
      { mean: 0.6, low: 0.5, high: 0.7 },
      { mean: 0.6, low: 0.5, high: 0.7 },
      undefined,
      undefined,
    ]);
    expect(headline(differential.layers, 'branch_1', 2)[1]?.mean).toBe(0.4);
    expect(headline(differential.layers, 'lambda_branch_2', 2)[1]).toBeUndefined();
    expect(headline(undefined, 'net', 1)).toEqual([undefined, undefined, undefined]);
  });

  it('has the chance of its tokens', () => {
    expect(chanceOf(plain.layers)).toBe(0.25);
    expect(chanceOf(undefined)).toBeUndefined();
  });
});

describe('the paired difference', () => {
  const difference = { mean: 0.2, low: 0.1, high: 0.4, p: 0.01 };
  const result = {
    kind: 'allocation' as const,
    examples: 4,
    models: [],
    paired: [{ models: ['m', 'n'] as [string, string], layers: [{ layer: 1, needle_against_context: difference }] }],
  };

  it('is that of the page’s second model, whichever way the batch has them', () => {
    expect(pairedAt(result, ['m', 'n'], 1)).toEqual(difference);
    expect(pairedAt(result, ['n', 'm'], 1)).toEqual({ mean: -0.2, low: -0.4, high: -0.1, p: 0.01 });
    expect(pairedAt(result, ['m', 'n'], 0)).toBeUndefined();
    expect(pairedAt(result, ['m', 'other'], 1)).toBeUndefined();
    expect(pairedAt(undefined, ['m', 'n'], 1)).toBeUndefined();
  });
});

describe('the table', () => {
  it('has every layer with tokens, shares and intervals, and what subtraction does, null where nothing is', () => {
    const { columns, rows } = allocationTable(both, 'norm_share', 'net', 2);
    expect(rows.map(([name]) => name)).toEqual(['A layer 0', 'A layer 1', 'B layer 0', 'B layer 1']);
    const cell = (row: number, name: string) => rows[row][columns.indexOf(name)];
    expect(cell(0, 'needle / context')).toBe(0.6);
    expect(cell(0, 'needle / context, high')).toBe(0.7);
    expect(cell(0, 'needle, share of norms')).toBe(0.5);
    expect(cell(0, 'competing tokens')).toBe(0);
    expect(cell(0, 'competing, share of norms')).toBeNull();
    expect(cell(0, 'filler rejection, dB')).toBeNull();
    expect(cell(2, 'filler rejection, dB')).toBe(20);
    for (const row of rows) expect(row).toHaveLength(columns.length);
    expect(allocationTable([plain], 'norm_share', 'net', 2).columns.join()).not.toContain('removed');
  });
});

describe('tokens of a class', () => {
  it('are found as runs, and counted', () => {
    const classes: TokenClass[] = ['first', 'needle', 'needle', 'filler', 'needle', 'self'];
    expect(runsOf(classes, 'needle')).toEqual([
      [1, 3],
      [4, 5],
    ]);
    expect(runsOf(classes, 'self')).toEqual([[5, 6]]);
    expect(runsOf(classes, 'question')).toEqual([]);
    expect(countsOf(classes)).toEqual({ first: 1, needle: 3, filler: 1, self: 1, competing: 0, question: 0 });
  });
});
