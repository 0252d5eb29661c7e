import { describe, expect, it } from 'vitest';
import type { Lens } from '@/lib/api/bodies';
import type { Signal } from '@/lib/api/readings';
import { outputOf } from './InterventionAside';

const signal = {
  entries: ['embedding', 'layer 0', 'final'],
  target_prob: [0.1, 0.2, 0.9],
  target_logprob: [-2, -1, -0.1],
  target_log_odds: [0, 1, 2],
  margin: [0, 1, 3],
  snr_candidates: [null, null, null],
  snr_vocab: [0, 1, 4],
} as unknown as Signal;
const lens = {
  entries: signal.entries,
  L: 2,
  k: 1,
  topIds: Int32Array.of(0, 1, 2, 3, 4, 5),
  statistics: { target_rank: Float32Array.of(9, 9, 9, 9, 7, 2) },
} as unknown as Lens;

describe('the unchanged answer', () => {
  it('is all that the run knows of its output at the read-out', () => {
    const known = outputOf(signal, lens, 1);
    expect(known).toMatchObject({ target_prob: 0.9, margin: 3, answer: 5, target_rank: 2, kl: 0 });
  });

  it('has the logit difference, of which the run says ln p of both answers', () => {
    const [right, wrong] = [{ target_logprob: [-3, -2, -0.25] }, { target_logprob: [-1, -2, -4.5] }];
    const known = outputOf({ ...signal, ...right } as Signal, lens, 1, { ...signal, ...wrong } as Signal);
    expect(known?.value).toBe(4.25);
    expect(outputOf({ ...signal, ...right } as Signal, lens, 1)).not.toHaveProperty('value');
  });

  it('lacks what the lens has not given yet', () => {
    expect(outputOf(signal, undefined, 1)).not.toHaveProperty('answer');
  });

  it('is not there of a run that ended before its output', () => {
    const cut = { ...signal, entries: ['embedding', 'layer 0', 'layer 1'] };
    expect(outputOf(cut, lens, 1)).toBeUndefined();
  });
});
