import { beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import { lensOf, residualsOf, signalAt } from '.';
import { bundledCase, loadModel } from './testing/fixtures';

beforeAll(async () => {
  await openDevice();
});

describe('the signal curves', () => {
  const tokens = [Array.from({ length: 12 }, (_, t) => (7 * t) % 23)];

  it.each(['hf-mamba1-bias', 'hf-diffmamba2-all'])('of %s are those of the lens at one position', async (name) => {
    const model = await loadModel(bundledCase(name));
    const residuals = residualsOf(model, tokens);
    const request = { position: 9, target: 5, candidates: [5, 6, 7, 8] };
    const curves = signalAt(model, residuals, request);
    const lens = lensOf(model, residuals, { targets: [5], positions: [9], candidates: [[5, 6, 7, 8]] });
    expect(curves.entries).toEqual(lens.entries);
    expect(curves.margin).toEqual(lens.statistics.margin);
    expect(curves.snr_candidates).toEqual(lens.statistics.snr_candidates);
    model.dispose();
  });
});
