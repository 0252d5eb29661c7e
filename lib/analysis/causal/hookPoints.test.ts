import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { hookPointsOf } from '@/lib/architectures/places';
import { BLOCK_KINDS } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import { randomModel } from '../testing/randomModel';
import { patchBudget } from '.';

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
});

const case_ = (kind: (typeof BLOCK_KINDS)[number], seed: number) => ({
  kinds: [kind],
  seed,
  heads: 2,
  groups: 1,
  N: 2,
  K: 2,
});

describe.each(BLOCK_KINDS)('the hook points of %s', (kind) => {
  // Seeds with and without the norm behind the difference.
  it.each([1, 3])('are those that a forward pass meets (seed %i)', (seed) => {
    const model = randomModel(case_(kind, seed));
    const met = new Set<string>();
    const see = (_: unknown, name: string) =>
      void met.add(name.replace(/^blocks\.0\./, '').replace(/hook_h\.\d+$/, 'hook_h'));
    tf.tidy(() => model.forward([[1, 2, 3]], { hooks: [['blocks.*', see]] }));
    expect([...met].sort()).toEqual([...hookPointsOf(model.config.blocks[0])].sort());
    model.dispose();
  });

  it('and no others can be patched; nothing has to run to know it', () => {
    const model = randomModel(case_(kind, 1));
    const budget = (point: string, mixer?: 'mixer_1') =>
      patchBudget(model, { clean: [1, 2], corrupted: [1, 3], target: 1, foil: 2, point, mixer });
    expect(() => budget('hook_nothing')).toThrow(`Layer 0 (${kind}) has no hook point hook_nothing`);
    for (const point of ['hook_resid_pre', 'hook_y', 'hook_h', 'ssm', 'conv'])
      expect(budget(point).rows).toBeGreaterThan(0);
    const branched = !['mamba1', 'mamba2', 'falcon_mamba', 'diff_mamba2e'].includes(kind);
    if (branched) expect(budget('hook_h', 'mixer_1').rows).toBe(2);
    else expect(() => budget('ssm', 'mixer_1')).toThrow('in mixer_1');
    model.dispose();
  });
});
