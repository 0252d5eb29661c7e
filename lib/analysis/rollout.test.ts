import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { attentionOf, attributionMap, outputGradients, rollout } from '.';
import { blocksOf, bundledCase, loadModel } from './testing/fixtures';

beforeAll(async () => {
  await openDevice();
});

const MAPS = [Float32Array.of(1, 0, 2, 3), Float32Array.of(0.5, 0, -0.25, 1)];

describe('rollout', () => {
  it('multiplies I + M, later layers on the left', () => {
    // [[1.5, 0], [−0.25, 2]] · [[2, 0], [2, 4]]
    expect([...rollout(MAPS, 2)]).toEqual([3, 0, 3.5, 8]);
  });

  it('starts where it is told', () => {
    expect([...rollout(MAPS, 2, { start: 1 })]).toEqual([1.5, 0, -0.25, 2]);
    expect(() => rollout(MAPS, 2, { start: 2 })).toThrow(/no layer 2/);
  });

  it('divides rows by their sums, so that each still sums to 1', () => {
    const [a, b, c, d] = rollout(MAPS, 2, { normalised: true });
    for (const sum of [a + b, c + d]) expect(sum).toBeCloseTo(1, 6);
    expect(c).toBeCloseTo((-0.25 + 2 * (2 / 6)) / 1.75, 6);
  });

  it('refuses to divide a row whose signs cancel', () => {
    expect(() => rollout([Float32Array.of(-1, 0, 0, 1)], 2, { normalised: true })).toThrow(InputError);
  });
});

describe('gradient-weighted attribution', () => {
  const tokens = [3, 1, 4, 1, 5, 9];

  it.each(['hf-mamba1-bias', 'hf-diffmamba2-all'])('of %s takes the slope of the logit', async (name) => {
    const model = await loadModel(bundledCase(name));
    const [position, target, at, step] = [5, 7, 2, 1e-2];
    const gradients = outputGradients(model, tokens, { position, target });
    const scans = [...gradients[1].keys()];
    for (const scan of scans) {
      const point = `${scan === 'single' ? '' : `${scan}.`}${scan === 'single' ? 'hook_after_skip' : 'hook_gated_norm'}`;
      const logit = (by: number) => {
        const logits = model.runWithHooks(
          [tokens],
          [
            [
              `blocks.1.${point}`,
              (value) => {
                const buffer = value.arraySync() as number[][][];
                buffer[0][at] = buffer[0][at].map((x) => x + by);
                return value.mul(0).add(buffer);
              },
            ],
          ],
        );
        return (logits.arraySync() as number[][][])[0][position][target];
      };
      const slope = (logit(step) - logit(-step)) / (2 * step);
      const E = model.config.blocks[1].mixer.E;
      expect(gradients[1].get(scan)?.[at]).toBeCloseTo(slope / E, 3);
    }
    model.dispose();
  });

  it('adds the branches before it cuts off what is negative', async () => {
    const model = await loadModel(bundledCase('hf-diffmamba2-all'));
    const [block] = blocksOf(model, [tokens]);
    const L = tokens.length;
    const slope = {
      mixer_1: Float32Array.from(tokens, (_, i) => i - 2),
      mixer_2: Float32Array.from(tokens, () => -0.5),
    };
    const map = attributionMap(block, new Map(Object.entries(slope) as ['mixer_1' | 'mixer_2', Float32Array][]));
    const [one, two] = (['mixer_1', 'mixer_2'] as const).map(
      (branch) => attentionOf(block, { branch, reduce: 'mean' }).map,
    );
    map.forEach((value, k) => {
      const row = Math.floor(k / L);
      expect(value).toBeCloseTo(Math.max(0, (row - 2) * one[k] - 0.5 * two[k]), 6);
    });
    model.dispose();
  });
});
