import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import { SIGNAL_METRICS } from '@/lib/vocabulary';
import { referenceFolder } from '@/testing/references';
import { allocation, compare, lensOf, residualsOf, type SnrExample, snrOf, summarise, summariseAllocation } from '.';
import { bundledCase, loadModel } from './testing/fixtures';

const random = { integer: (from: number, to: number) => from + Math.floor(Math.random() * (to - from + 1)) };
const names = ['hf-mamba1-bias', 'hf-diffmamba2-all'];
const models = new Map<string, Model>();

beforeAll(async () => {
  await openDevice();
  for (const name of names) models.set(name, await loadModel(bundledCase(name)));
});
afterAll(() => {
  for (const model of models.values()) model.dispose();
});

const examples = fc.array(
  fc
    .record({
      tokens: fc.array(fc.integer({ min: 0, max: 22 }), { minLength: 2, maxLength: 9 }),
      target: fc.integer({ min: 0, max: 22 }),
      candidates: fc.uniqueArray(fc.integer({ min: 0, max: 22 }), { minLength: 3, maxLength: 5 }),
      place: fc.nat(100),
    })
    .map(({ tokens, place, ...rest }): SnrExample => {
      const start = place % (tokens.length - 1);
      return { tokens, ...rest, needle: [start, start + 1], position: tokens.length - 1 - (place % 2) };
    }),
  { minLength: 1, maxLength: 4 },
);

describe('the SNR of a batch', () => {
  it.each(names)('of %s is that of its prompts one by one, at any length and position', async (name) => {
    const model = models.get(name) as Model;
    fc.assert(
      fc.property(examples, (batch) => {
        const before = tf.memory().numTensors;
        const { entries, values, n } = snrOf(model, batch);
        expect(tf.memory().numTensors).toBe(before);
        expect([...values.keys()]).toEqual([...SIGNAL_METRICS]);
        batch.forEach(({ tokens, target, candidates, needle, position = 0 }, k) => {
          const row = [...tokens];
          const request = { targets: [target], candidates: candidates && [candidates], positions: [position] };
          const { statistics } = lensOf(model, residualsOf(model, [row]), request);
          const reads = allocation(model, { tokens: row, target, position, needle: needle as [number, number] });
          for (const [metric, series] of values)
            entries.forEach((entry, at) => {
              const layer = /^layer (\d+)$/.exec(entry);
              const { net } = summariseAllocation([[reads[Number(layer?.[1] ?? 0)]]], undefined);
              const shared = layer ? (net.needle_against_context?.mean ?? Number.NaN) : Number.NaN;
              const expected = metric === 'needle_against_context' ? shared : statistics[metric][at];
              if (Number.isNaN(expected)) expect(series[at][k], `${metric} ${entry}`).toBeNaN();
              else expect(series[at][k], `${metric} ${entry}`).toBeCloseTo(expected, 3);
            });
        });
        expect(n).toBe(batch.length);
      }),
      { numRuns: 6, seed: 5 },
    );
  });

  it('names what an example lacks', () => {
    const model = models.get(names[0]) as Model;
    const plain = [{ tokens: [1, 2], target: 3 }];
    expect([...snrOf(model, plain).values.keys()]).toEqual([
      ...['target_prob', 'target_logprob', 'target_log_odds', 'margin', 'margin_std', 'snr_vocab'],
    ]);
    const refused: [SnrExample, RegExp][] = [
      [{ tokens: [], target: 1 }, /Example 0 has no tokens/],
      [{ tokens: [1, 1e6], target: 1 }, /Token id 1000000 of example 0/],
      [{ tokens: [1, 2], target: 1, needle: [1, 3] }, /needle of example 0/],
      [{ tokens: [1, 2], target: 1, position: 2 }, /no position 2/],
    ];
    for (const [example, message] of refused) expect(() => snrOf(model, [example])).toThrow(message);
  });

  it('compares two models entry by entry', () => {
    const batch = [1, 2, 3, 4].map((target) => ({ tokens: [target, 5, 6], target }));
    const [a, b] = names.map((name) => snrOf(models.get(name) as Model, batch, { metrics: ['target_logprob'] }));
    const rows = compare([a], [b], { random });
    expect(rows.map(({ entry }) => entry)).toEqual(a.entries.filter((entry) => b.entries.includes(entry)));
    const at = (samples: typeof a) => samples.values.get('target_logprob')?.at(-1) as Float64Array;
    const mean = at(b).reduce((sum, value, k) => sum + value - at(a)[k], 0) / 4;
    expect(rows.at(-1)?.mean).toBeCloseTo(mean, 12);
    expect(() => compare([a], [{ ...b, n: 3 }], { random })).toThrow(/same examples/);
    const margins = names.map((name) => snrOf(models.get(name) as Model, batch, { metrics: ['margin', 'margin_std'] }));
    const compared = compare([margins[0]], [margins[1]], { random }).map(({ metric }) => metric);
    expect(new Set(compared)).toEqual(new Set(['margin_std']));
  });
});

describe.each(['mamba', 'mamba2'])('means and standard errors of %s', (name) => {
  const folder = referenceFolder('lens', name) as string;
  it('are those of the reference', async () => {
    const model = await loadModel(folder);
    const { prompts, logit_lens, entries } = JSON.parse(readFileSync(join(folder, 'aggregate.json'), 'utf8'));
    const samples = snrOf(model, prompts);
    expect(samples.entries).toEqual(entries);
    // The reference calls a margin log-odds, and has none of the others.
    const known = summarise([samples], { random }).filter(
      ({ metric }) => !['margin_std', 'target_log_odds', 'needle_against_context'].includes(metric),
    );
    for (const { metric, entry, mean, stderr, low, high, n } of known) {
      const { mean: means, stderr: errors } = logit_lens[metric === 'margin' ? 'log_odds' : metric];
      const at = entries.indexOf(entry);
      expect(Math.abs(mean - means[at]), `${metric} ${entry}`).toBeLessThan(1e-4);
      expect(Math.abs(stderr - errors[at])).toBeLessThan(1e-4);
      expect(n).toBe(prompts.length);
      expect(low).toBeLessThan(means[at]);
      expect(high).toBeGreaterThan(means[at]);
      expect(Math.abs(high - low - 3.92 * errors[at])).toBeLessThan(0.25 * 3.92 * errors[at]);
    }
    model.dispose();
  });
});
