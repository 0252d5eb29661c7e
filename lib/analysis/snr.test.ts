import { beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import { allocation, lensOf, residualsOf, signalAt, summariseAllocation } from '.';
import { bundledCase, loadModel } from './testing/fixtures';

beforeAll(async () => {
  await openDevice();
});

describe('the signal curves', () => {
  const tokens = [Array.from({ length: 12 }, (_, t) => (7 * t) % 23)];

  it.each(['hf-mamba1-bias', 'hf-diffmamba2-all'])('of %s put lens and allocation side by side', async (name) => {
    const model = await loadModel(bundledCase(name));
    const residuals = residualsOf(model, tokens);
    const request = {
      position: 9,
      target: 5,
      needle: [2, 5] as const,
      question: [[6, 8] as const],
      candidates: [5, 6, 7, 8],
    };
    const curves = signalAt(model, residuals, request);
    const lens = lensOf(model, residuals, { targets: [5], positions: [9], candidates: [[5, 6, 7, 8]] });
    expect(curves.entries).toEqual(lens.entries);
    expect(curves.margin).toEqual(lens.statistics.margin);
    expect(curves.snr_candidates).toEqual(lens.statistics.snr_candidates);
    expect(curves.needle_against_context[0]).toBeNaN();
    expect(curves.needle_against_context.at(-1)).toBeNaN();
    for (const [layer, reads] of allocation(model, { ...request, tokens: tokens[0] }).entries()) {
      const { needle_against_context: share } = summariseAllocation([[reads]], undefined).net;
      expect(curves.needle_against_context[1 + layer]).toBeCloseTo(share?.mean as number, 4);
    }
    const behind = signalAt(model, residuals, { ...request, needle: [10, 11] });
    expect([...behind.needle_against_context].every(Number.isNaN)).toBe(true);
    model.dispose();
  });
});
