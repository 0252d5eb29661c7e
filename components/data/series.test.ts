import { describe, expect, it } from 'vitest';
import type { Lens } from '@/lib/api/bodies';
import type { Signal } from '@/lib/api/readings';
import { onAxis } from '../charts/layerAxis';
import { certainFrom, entryAt, isSeenLinearly, lensRow, metricOnAxis, snrCandidates } from './series';

const signal: Signal = {
  lens: 'logit',
  entries: ['embedding', 'layer 0', 'final'],
  position: 3,
  target: 1,
  needle: null,
  target_prob: [0.1, 0.2, 0.3],
  target_logprob: [0, 0, 0],
  target_log_odds: [4, 5, 6],
  margin: [7, 8, 9],
  margin_std: [1, 2, 3],
  snr_vocab: [4, 5, 6],
  snr_candidates: [null, null, null],
  needle_against_context: [null, 0.5, null],
};

const lens: Lens = {
  entries: ['embedding', 'layer 0', 'final'],
  L: 2,
  k: 2,
  topIds: Int32Array.from({ length: 12 }, (_, k) => k),
  topProbs: Float32Array.from({ length: 12 }, (_, k) => k / 100),
  statistics: { target_rank: Float32Array.of(1, 2, 3, 4, 5, 6) },
  metadata: { lens: 'logit', entries: [], target: 0 },
};

describe('series on the layer axis', () => {
  it('sets the output last, also for a shallower model', () => {
    const two = ['embedding', 'layer 0', 'layer 1', 'final'];
    expect(onAxis(signal.entries, ['e', '0', 'out'], 3)).toEqual(['e', '0', undefined, undefined, 'out']);
    expect(onAxis(two, ['e', '0', '1', 'out'], 2)).toEqual(['e', '0', '1', 'out']);
  });

  it('takes the last layer of a cancelled run for itself and not for the output', () => {
    const entries = ['embedding', 'layer 0', 'layer 1'];
    const cancelled: Signal = { ...signal, entries, target_prob: [0.1, 0.2, 0.999] };
    expect(metricOnAxis(cancelled, 'p', 4)).toEqual([0.1, 0.2, 0.999, undefined, undefined, undefined]);
    expect(certainFrom([cancelled], 4)).toBeUndefined();
    const cut: Lens = { ...lens, entries };
    expect(lensRow(cut, 1, 4).map((cell) => cell?.topId)).toEqual([2, 6, 10, undefined, undefined, undefined]);
    expect([-1, 0, 1, 2, 3, 4].map((layer) => entryAt(cut, layer, 4))).toEqual([0, 1, 2, -1, -1, -1]);
  });

  it('takes the vocabulary where there is no answer set', () => {
    expect(snrCandidates(signal)).toBe('vocabulary');
    expect(metricOnAxis(signal, 'snr', 1)).toEqual([4, 5, 6]);
    expect(metricOnAxis({ ...signal, snr_candidates: [7, 8, 9] }, 'snr', 1)).toEqual([7, 8, 9]);
    // Two models have no common unit of logits.
    expect(metricOnAxis(signal, 'margin', 1)).toEqual(signal.margin_std);
    expect(metricOnAxis(signal, 'target_log_odds', 1)).toEqual([4, 5, 6]);
    expect(metricOnAxis(signal, 'needle_against_context', 1)).toEqual([null, 0.5, null]);
  });

  it('reads the lens by entry and position', () => {
    const row = lensRow(lens, 1, 2);
    expect(row.map((cell) => cell?.topId)).toEqual([2, 6, undefined, 10]);
    expect(row[3]?.targetRank).toBe(7);
    expect(lensRow(lens, 5, 2).every((cell) => cell === undefined)).toBe(true);
  });

  it('finds the entry of a layer', () => {
    expect([-1, 0, 1, 2].map((layer) => entryAt(lens, layer, 2))).toEqual([0, 1, -1, 2]);
  });

  it('leaves the embedding empty where a tuned lens has none', () => {
    const entries = ['layer 0', 'layer 1', 'final'];
    expect(metricOnAxis({ ...signal, lens: 'tuned', entries }, 'p', 2)).toEqual([undefined, 0.1, 0.2, 0.3]);
    const tuned = { ...lens, entries };
    expect(lensRow(tuned, 0, 2).map((cell) => cell?.topId)).toEqual([undefined, 0, 4, 8]);
    expect([-1, 0, 1, 2].map((layer) => entryAt(tuned, layer, 2))).toEqual([-1, 0, 1, 2]);
  });

  it('says from which block on the answer is certain in all models, where that is most of them', () => {
    const entries = ['embedding', 'layer 0', 'layer 1', 'layer 2', 'layer 3', 'final'];
    const of = (...target_prob: number[]): Signal => ({ ...signal, entries, target_prob });
    const early = of(1e-6, 0.999, 1, 1, 0.995, 1);
    expect(certainFrom([early], 4)).toBe(0);
    expect(certainFrom([early, of(0, 0.98, 1, 1, 1, 1)], 4)).toBe(1);
    expect(certainFrom([early, of(0, 1, 0.5, 1, 1, 1)], 4)).toBeUndefined();
    expect(certainFrom([early, of(0, 1, 1, 1, 1, 0.9)], 4)).toBeUndefined();
    expect(certainFrom([early, of(0, 1, 1, 1, 1, Number.NaN)], 4)).toBeUndefined();
    expect(certainFrom([early, undefined], 4)).toBeUndefined();
    const tuned = { ...of(0.999, 1, 1, 1, 1), entries: entries.slice(1) };
    expect(certainFrom([tuned, early], 4)).toBe(0);
  });
  it('is seen on a linear axis where p after every block of every model is, whatever the embedding', () => {
    const entries = ['embedding', 'layer 0', 'layer 1', 'final'];
    const of = (...target_prob: number[]): Signal => ({ ...signal, entries, target_prob });
    const rising = of(1e-9, 0.02, 0.4, 0.4);
    expect(isSeenLinearly([rising])).toBe(true);
    expect(isSeenLinearly([rising, of(0.5, 0.009, 0.4, 0.4)])).toBe(false);
    expect(isSeenLinearly([rising, undefined])).toBe(false);
    expect(isSeenLinearly([{ ...rising, entries: entries.slice(0, 3), target_prob: [0.1, 0.2, 0.3] }])).toBe(false);
    expect(isSeenLinearly([{ ...of(0.005, 0.4, 0.4), entries: entries.slice(1) }])).toBe(false);
  });
});
