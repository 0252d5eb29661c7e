import { describe, expect, it } from 'vitest';
import type { Readout } from '@/lib/api/schemas';
import { lensRow } from './series';
import { lensSoFar, shownPositions, signalSoFar } from './soFar';
import type { ModelView, View } from './view';

const said = (entry: string, p: number): Readout => ({
  entry,
  target_prob: p,
  target_logprob: Math.log(p),
  target_log_odds: Math.log(p / (1 - p)),
  target_rank: 2,
  margin: -1,
  margin_std: -0.5,
  entropy: 1.5,
  snr_vocab: 4,
  snr_candidates: null,
  top_ids: [7, 9],
  top_probs: [0.6, 0.2],
});

const token = { id: 1, text: 'a', start: 0, end: 1 };
const tokens = new Array(20).fill(token);
const modelOf = (readout?: Readout[], position = 19) =>
  ({
    tokens,
    position,
    model: { tokens, position: -1, target: { id: 5, text: 'x' }, readout },
  }) as unknown as ModelView;

describe('what a run says before it has ended', () => {
  const view = modelOf([said('embedding', 0.1), said('layer 0', 0.25)]);

  it('is the curve and the row of the lens up to the layer that is finished', () => {
    expect(signalSoFar(view, 5)).toMatchObject({ entries: ['embedding', 'layer 0'], target_prob: [0.1, 0.25] });
    const lens = lensSoFar(view, 5);
    if (!lens) throw new Error('no lens');
    const row = lensRow(lens, 19, 3);
    expect(row.slice(0, 2)).toMatchObject([{ topId: 7, targetRank: 3 }, { topId: 7 }]);
    expect(row[0]?.targetProb).toBeCloseTo(0.1, 6);
    // Layers to come, and other positions, are not numbers.
    expect(row.slice(2)).toEqual([undefined, undefined, undefined]);
    expect(lensRow(lens, 3, 3).every((cell) => cell === undefined)).toBe(true);
  });

  it('is one object until more is told', () => {
    expect(lensSoFar(view, 5)).toBe(lensSoFar(view, 5));
    expect(signalSoFar(view, 5)).toBe(signalSoFar({ ...view }, 5));
  });

  it('is nothing of another token, of another position, or of a run that told nothing', () => {
    expect(signalSoFar(view, 6)).toBeUndefined();
    expect(lensSoFar(modelOf([said('embedding', 0.1)], 4), 5)).toBeUndefined();
    expect(signalSoFar(modelOf(), 5)).toBeUndefined();
  });

  it('asks for the rows in view and the one that is read', () => {
    const whole = { models: [modelOf()], tokens } as unknown as View;
    expect(shownPositions(whole.models[0], 'page-0', whole)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 19]);
    expect(shownPositions(whole.models[0], 'last', whole)).toEqual([12, 13, 14, 15, 16, 17, 18, 19]);
  });
});
