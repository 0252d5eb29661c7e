import { beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import { CHANNEL_STATISTICS } from '@/lib/vocabulary';
import {
  attentionOf,
  blockForm,
  channelStatistics,
  NEAREST,
  operatorOf,
  type S6Inputs,
  type ScanParameters,
  topChannels,
} from '.';
import { blocksOf, bundledCase, loadModel } from './testing/fixtures';

const TOKENS = [Array.from({ length: 13 }, (_, t) => (7 * t) % 23)];

beforeAll(async () => {
  await openDevice();
});

/** The statistics of one map by their definitions. */
function naive(map: Float32Array, L: number) {
  const rows = Array.from({ length: L }, (_, i) => [...map.subarray(i * L, i * L + i + 1)].map(Math.abs));
  const mean = (of: (shares: number[], i: number) => number) =>
    rows.reduce((sum, row, i) => {
      const mass = row.reduce((a, b) => a + b, 0);
      return (
        sum +
        of(
          row.map((value) => value / mass),
          i,
        ) /
          L
      );
    }, 0);
  return {
    entropy: mean((p) => -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0)),
    sink: mean((p) => p[0]),
    locality: mean((p, i) => p.slice(Math.max(0, i - NEAREST + 1)).reduce((a, b) => a + b, 0)),
    distance: mean((p, i) => p.reduce((sum, x, j) => sum + x * (i - j), 0)),
    max: Math.max(...rows.flat()),
  };
}

describe.each(['hf-mamba1-bias', 'hf-mamba2-groups', 'hf-diffmamba2-all'])('channel statistics of %s', (name) => {
  it('equal those of each map, one by one', async () => {
    const model = await loadModel(bundledCase(name));
    for (const block of blocksOf(model, TOKENS))
      for (const { scan, unit, values } of channelStatistics(block, operatorOf(model, block)))
        for (const index of [0, values.max.length - 1]) {
          const { map, L } = attentionOf(block, { branch: scan, reduce: `${unit}:${index}` });
          for (const [statistic, expected] of Object.entries(naive(map, L)))
            expect(values[statistic as 'max'][index] / expected, `${scan} ${index} ${statistic}`).toBeCloseTo(1, 4);
        }
    model.dispose();
  });

  it('share out the whole output, and halve the memory in one half-life', async () => {
    const model = await loadModel(bundledCase(name));
    const [block] = blocksOf(model, TOKENS);
    const found = channelStatistics(block, operatorOf(model, block));
    const shares = found.flatMap(({ values }) => [...values.output_share]);
    expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    expect(Object.keys(found[0].values).sort()).toEqual([...CHANNEL_STATISTICS].sort());
    const { delta, A } = block.scans.get(found[0].scan) as S6Inputs;
    const units = found[0].values.max.length;
    const mean = Array.from({ length: 13 }, (_, i) => delta[i * units]).reduce((a, b) => a + b, 0) / 13;
    const slowest = Math.max(...A.subarray(0, A.length / units));
    expect(Math.exp(slowest * mean * found[0].values.half_life[0])).toBeCloseTo(0.5, 5);
    model.dispose();
  });

  it('rank the channels of a pair as their maps do', async () => {
    const model = await loadModel(bundledCase(name));
    const [block] = blocksOf(model, TOKENS);
    const { scans } = operatorOf(model, block);
    const [[scan, inputs]] = block.scans;
    const [target, source] = [9, 4];
    const unit = inputs.family === 'mamba1' ? 'channel' : 'head';
    const parameters = scans.get(scan) as ScanParameters;
    const plain = topChannels(inputs, { target, source, k: 3 });
    const whole = topChannels(inputs, { target, source, k: 1000 }, parameters);
    expect(plain).toHaveLength(3);
    expect(Math.abs(plain[0].value)).toBeGreaterThanOrEqual(Math.abs(plain[2].value));
    expect(whole).toHaveLength(inputs.E);
    for (const { index, value } of plain)
      expect(
        attentionOf(block, { branch: scan, reduce: `${unit}:${index}` }).map[target * inputs.L + source],
      ).toBeCloseTo(value, 5);
    const { index, value } = whole[0];
    const { map } = blockForm(inputs, parameters, { how: 'channel', index });
    expect(map[target * inputs.L + source]).toBeCloseTo(value, 5);
    expect(() => topChannels(inputs, { target: 2, source: 3, k: 1 })).toThrow(/no read of token 3/);
    model.dispose();
  });
});
