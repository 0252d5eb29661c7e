import { beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import { attentionOf, attentionShare, attentionSnr, lensOf, residualsOf, signalAt } from '.';
import { blocksOf, bundledCase, loadModel } from './testing/fixtures';

beforeAll(async () => {
  await openDevice();
});

describe('attention share', () => {
  const map = Float32Array.of(1, 0, 0, 2, -2, 0, 1, -3, 4);
  it('is the magnitude that comes from the needle', () => {
    expect(attentionShare(map, 3, 2, [0, 2])).toBeCloseTo(0.5, 12);
    expect(attentionShare(map, 3, 1, [1, 3])).toBeCloseTo(0.5, 12);
  });
  it('is not a number where nothing is read', () => {
    expect(attentionShare(new Float32Array(9), 3, 2, [0, 1])).toBeNaN();
  });
});

describe('the signal curves', () => {
  const tokens = [Array.from({ length: 12 }, (_, t) => (7 * t) % 23)];

  it.each(['hf-mamba1-bias', 'hf-diffmamba2-all'])('of %s put lens and attention side by side', async (name) => {
    const model = await loadModel(bundledCase(name));
    const blocks = blocksOf(model, tokens);
    const residuals = residualsOf(model, tokens);
    const request = { position: 9, target: 5, needle: [2, 5] as const, candidates: [5, 6, 7, 8] };
    const curves = signalAt(model, residuals, blocks, request);
    const lens = lensOf(model, residuals, { targets: [5], positions: [9], candidates: [[5, 6, 7, 8]] });
    expect(curves.entries).toEqual(lens.entries);
    expect(curves.margin).toEqual(lens.statistics.margin);
    expect(curves.snr_candidates).toEqual(lens.statistics.snr_candidates);
    expect(curves.attention_snr[0]).toBeNaN();
    expect(curves.attention_snr.at(-1)).toBeNaN();
    const view = blocks[1].scans.has('single')
      ? ({ branch: 'single', reduce: 'mean_abs' } as const)
      : ({ branch: 'diff', reduce: 'mean' } as const);
    expect(curves.attention_snr[2]).toBeCloseTo(attentionShare(attentionOf(blocks[1], view).map, 12, 9, [2, 5]), 12);
    model.dispose();
  });

  it('leave attention out for a λ per channel', async () => {
    const model = await loadModel(bundledCase('hf-diffmamba2-all'));
    const [block] = blocksOf(model, tokens);
    expect(attentionSnr({ ...block, lambda: Float32Array.of(0.3, 0.4) }, 9, [2, 5])).toBeNaN();
    model.dispose();
  });
});
