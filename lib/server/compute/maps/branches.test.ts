import { beforeAll, describe, expect, it } from 'vitest';
import { patchGrid } from '@/lib/analysis';
import { randomModel } from '@/lib/analysis/testing/randomModel';
import { BLOCK_KINDS, InputError } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import { MIXERS, PATCH_POINTS } from '@/lib/vocabulary';
import { blockSummary } from './branches';

beforeAll(async () => {
  await openDevice();
});

describe('the points of a block', () => {
  it.each(BLOCK_KINDS)('are those that can be patched in %s, of a mixer by itself where it has its own', (kind) => {
    const model = randomModel({ kinds: [kind], seed: 3, heads: 2, groups: 1, N: 2, K: 2 });
    const { points } = blockSummary(model.config.blocks[0]);
    expect(Object.keys(points ?? {}).sort()).toEqual([...PATCH_POINTS].sort());
    for (const point of PATCH_POINTS) {
      const patch = (mixer?: (typeof MIXERS)[number]) => () =>
        patchGrid(model, { clean: [1, 2], corrupted: [3, 2], target: 3, foil: 7, point, mixer });
      expect(patch()).not.toThrow();
      for (const mixer of MIXERS)
        if (points?.[point]?.includes(mixer)) expect(patch(mixer)).not.toThrow();
        else expect(patch(mixer)).toThrow(InputError);
    }
    model.dispose();
  });
});
