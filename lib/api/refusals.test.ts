import { describe, expect, it } from 'vitest';
import { type AskedBlock, refusedReduction, refusedRollout, refusedView } from './refusals';

const mamba1: AskedBlock = { kind: 'mamba1', branches: ['single'], heads: 0, channels: 64 };
const diff: AskedBlock = {
  kind: 'diff_mamba2',
  branches: ['mixer_1', 'mixer_2', 'lambda_mixer_2', 'diff'],
  heads: 4,
  channels: 64,
};
/** One λ for each channel: there is no difference of maps. */
const vector: AskedBlock = { ...diff, kind: 'diff_s6', branches: ['mixer_1', 'mixer_2'] };

describe('what a block cannot be asked for', () => {
  it.each([
    [mamba1, 'single', 'mean'],
    [mamba1, 'single', 'channel:63'],
    [diff, 'diff', 'head:3'],
    [diff, 'lambda_mixer_2', 'max'],
  ] as const)('is nothing that it has', (block, branch, reduce) => {
    expect(refusedView(block, 0, branch, reduce)).toBeUndefined();
  });

  it.each([
    [mamba1, 'diff', 'mean', /Layer 2 \(mamba1\) has no branch diff/],
    [vector, 'diff', 'mean', /no branch diff/],
    [mamba1, 'single', 'head:0', /has no heads/],
    [diff, 'diff', 'head:4', /4 heads; there is no head 4/],
    [diff, 'diff', 'channel:64', /64 channels; there is no channel 64/],
  ] as const)('is said in one sentence, with a way out', (block, branch, reduce, message) => {
    const refused = refusedView(block, 2, branch, reduce);
    expect(refused?.message).toMatch(message);
    expect(refused?.hint).toBeTruthy();
  });

  it('is a part of one layer, not of another', () => {
    expect(refusedReduction(diff, 0, 'channel:7')).toBeUndefined();
    expect(refusedReduction(mamba1, 1, 'head:1')).toBeDefined();
  });
});

describe('a normalised rollout', () => {
  const blocks = [mamba1, diff, mamba1];
  it('is refused where a difference takes part', () => {
    expect(refusedRollout(blocks, { method: 'normalised', start: 0 })?.message).toMatch(/^Layer 1 is a difference/);
    expect(refusedRollout(blocks, { method: 'normalised', start: 1 })).toBeDefined();
  });

  it('stands behind the last difference, and where maps are not subtracted', () => {
    expect(refusedRollout(blocks, { method: 'normalised', start: 2 })).toBeUndefined();
    expect(refusedRollout([vector, mamba1], { method: 'normalised', start: 0 })).toBeUndefined();
  });

  it.each(['plain', 'attribution'] as const)('%s divides by nothing', (method) => {
    expect(refusedRollout(blocks, { method, start: 0 })).toBeUndefined();
  });
});
