import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SingleKind } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import {
  attentionBytes,
  blockForm,
  finalResidual,
  gradientBytes,
  logitDirection,
  logitForm,
  type MapForm,
  mapBytes,
  normForm,
  operatorOf,
  outputGradients,
  parseReduction,
  type ScanParameters,
  scanAttention,
} from '.';
import { blocksOf } from './testing/fixtures';
import { randomModel } from './testing/randomModel';

const L = 96;
const row = Array.from({ length: L }, (_, t) => (5 * t * t) % 17);

beforeAll(async () => {
  await openDevice();
});

/** Most bytes of tensors alive while `compute` runs, beyond those before it. */
async function peakOf(compute: () => void): Promise<number> {
  const before = tf.memory().numBytes;
  const { peakBytes } = await tf.profile(() => {
    compute();
    return tf.scalar(0);
  });
  return peakBytes - before;
}

describe.each<SingleKind>(['mamba1', 'mamba2', 'diff_mamba2', 'diff_mamba1'])('what maps of %s take', (kind) => {
  it.each<Exclude<MapForm, 'softmax'>>(['s6', 'block', 'logit', 'norm'])(
    'is bounded by the estimate of %s, and not by far',
    async (form) => {
      const model = randomModel({ kinds: [kind, kind], seed: 3, heads: 3, groups: 1, N: 8, K: 4 });
      const { blocks, d } = model.config;
      const [block] = blocksOf(model, [row]);
      const u = logitDirection(model, finalResidual(model, [row]), 3);
      const parameters = operatorOf(model, block);
      const branch = kind.startsWith('diff') ? 'diff' : 'single';
      const make = {
        logit: () => logitForm(block, parameters, u, branch),
        norm: () => normForm(block, parameters, branch),
        s6: () => ofScans((inputs, _, reduction) => scanAttention(inputs, reduction)),
        block: () => ofScans((inputs, scan, reduction) => blockForm(inputs, scan, reduction)),
      };
      type Inputs = Parameters<typeof scanAttention>;
      const ofScans = (one: (inputs: Inputs[0], scan: ScanParameters, reduction: Inputs[1]) => unknown) => {
        for (const [scan, inputs] of block.scans)
          for (const reduce of ['mean', 'mean_abs', 'max', 'channel:3'])
            one(inputs, parameters.scans.get(scan) as ScanParameters, parseReduction(reduce));
      };
      const estimate = mapBytes(blocks[0], d, L, form);
      const peak = await peakOf(make[form]);
      expect(peak).toBeLessThan(estimate);
      expect(estimate).toBeLessThan(8 * peak);
      model.dispose();
    },
  );

  it('is bounded for gradients too', async () => {
    const model = randomModel({ kinds: [kind, kind], seed: 3, heads: 3, groups: 1, N: 8, K: 4 });
    const peak = await peakOf(() => outputGradients(model, row, { position: L - 1, target: 3 }));
    const estimate = gradientBytes(model.config, L);
    expect(peak).toBeLessThan(estimate);
    expect(estimate).toBeLessThan(8 * peak);
    model.dispose();
  });
});

it('grows with the maps that are kept', () => {
  const model = randomModel({ kinds: ['mamba1', 'mamba1'], seed: 3, heads: 1, groups: 1, N: 2, K: 4 });
  const of = (mapsPerLayer: number) => attentionBytes(model.config, L, { layers: [0, 1], mapsPerLayer });
  expect(of(3) - of(1)).toBe(2 * 2 * 4 * L * L);
  model.dispose();
});
