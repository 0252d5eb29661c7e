import { describe, expect, it } from 'vitest';
import {
  ablationRemovals,
  checkedChanges,
  knockoutRemovals,
  type Removals,
  type ResultOf,
  removalChanges,
  removalValues,
} from './results';

const frozen = { value: 4, change: -1 };
const run = (layer: number, span: [number, number], change: number, more: object = {}) => ({
  ...{ layer, unit: 'block', span, change, value: 5 + change, frozen_norms: frozen },
  ...more,
});

describe('what removals change', () => {
  it('is read of ablations by layer and token, in both ways of the norms', () => {
    const runs = [run(0, [0, 1], -2), run(0, [1, 3], 1), run(1, [0, 1], 3), run(1, [1, 3], 4)];
    const found = ablationRemovals({ kind: 'ablate', base: { value: 5 }, runs } as unknown as ResultOf<'ablate'>, []);
    const changes = removalChanges(found, 'rescale');
    expect([changes?.(0, 0), changes?.(0, 2), changes?.(1, 1), changes?.(2, 0)]).toEqual([-2, 1, 4, undefined]);
    expect(changes?.spanOf?.(1)).toEqual([1, 3]);
    expect(removalValues(found, 'rescale')?.(1, 0)).toBe(8);
    expect(removalChanges(found, 'frozen')?.(1, 0)).toBe(-1);
  });

  it('is read of ablations by class wherever the class has tokens', () => {
    const runs = [run(0, [0, 3], -2, { class: 'filler' }), run(0, [1, 2], 1, { class: 'needle' })];
    const result = { kind: 'ablate', base: { value: 5 }, runs } as unknown as ResultOf<'ablate'>;
    const changes = removalChanges(ablationRemovals(result, ['filler', 'needle', 'filler']), 'rescale');
    expect([0, 1, 2].map((token) => changes?.(0, token))).toEqual([-2, 1, -2]);
    expect(changes?.classOf?.(2)).toBe('filler');
  });

  it('of estimates has no frozen norms, and says which cells were computed', () => {
    const cells = [{ layer: 1, span: [0, 1], estimated: 4, exact: 2 }];
    const estimate = {
      ...{
        kind: 'knockout_attribution',
        base: 5,
        layers: [
          [0, 1],
          [1, 2],
        ],
        spans: [
          [0, 1],
          [1, 2],
        ],
      },
      ...{
        change: [
          [-1, null],
          [-1, null],
        ],
        without: [
          [4, null],
          [4, null],
        ],
        tested: [true, false],
      },
      agreement: [{ point: 'scan', cells, rank_correlation: null, correlation: null }],
    } as unknown as ResultOf<'knockout_attribution'>;
    const found = knockoutRemovals(estimate) as Removals;
    expect(removalChanges(found, 'rescale')?.(1, 0)).toBe(-1);
    expect(removalChanges(found, 'rescale')?.(1, 1)).toBe('not tested');
    expect(removalChanges(found, 'frozen')).toBeUndefined();
    expect(checkedChanges(found)).toEqual([{ layer: 1, token: 0, estimated: -1, exact: -3 }]);
    const parts = {
      kind: 'ablate_attribution',
      base: { value: 5 },
      runs: [run(1, [0, 1], -1)],
      agreement: estimate.agreement,
    };
    expect(checkedChanges(ablationRemovals(parts as unknown as ResultOf<'ablate_attribution'>, []))).toEqual(
      checkedChanges(found),
    );
  });
});
