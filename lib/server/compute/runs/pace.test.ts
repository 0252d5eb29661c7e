import { describe, expect, it } from 'vitest';
import type { Cost } from './costs';
import { Pace } from './pace';

const paceOf = (...seen: [cost: Cost, seconds: number][]) => {
  const pace = new Pace();
  for (const [cost, seconds] of seen) pace.add({ cost, seconds });
  return pace;
};

describe('Pace', () => {
  it('knows nothing of what was never met, and compares it as on a plain processor', () => {
    const pace = paceOf([{ entry: 10, unembedding: 1e9 }, 1]);
    expect(pace.expect({ block: 10, product: 1e9 })).toBeNull();
    expect(pace.expect({ entry: 10, product: 1e9 })).toBeNull();
    expect(pace.expect({ entry: 10, unembedding: 1e9 })).toBeCloseTo(1, 2);
    expect(new Pace().shares()({ product: 2e9 })).toBeCloseTo(2 * new Pace().shares()({ product: 1e9 }), 9);
  });

  it('tells apart what pieces and what operations cost', () => {
    const pace = paceOf(
      [{ block: 10, product: 1e6 }, 0.1 + 1e-4],
      [{ block: 10, product: 1e9 }, 0.1 + 0.1],
      [{ block: 50, product: 4e9 }, 0.5 + 0.4],
    );
    expect(pace.expect({ block: 100, product: 1e10 })).toBeCloseTo(1 + 1, 1);
  });

  it('tells stages apart: a slow lens does not slow a forward pass down', () => {
    const pace = paceOf(
      [{ block: 10, product: 1e9 }, 1],
      [{ entry: 10, unembedding: 1e9 }, 5],
      [{ map: 10, ssdRead: 1e9 }, 0.1],
    );
    expect(pace.expect({ block: 10, product: 1e9 })).toBeCloseTo(1, 1);
    expect(pace.expect({ block: 10, product: 1e9, entry: 10, unembedding: 1e9 })).toBeCloseTo(6, 0);
  });

  it('begins with what a probe showed, and follows one real run at once', () => {
    const pace = new Pace();
    const probes: readonly (readonly [number, number])[] = [
      [1e6, 2e-3],
      [1e7, 3e-3],
      [1e8, 1.2e-2],
    ];
    for (const [product, seconds] of probes) pace.add({ cost: { block: 1, product }, seconds }, true);
    const large = { block: 48, product: 4e11 };
    const first = pace.expect(large) as number;
    // 40 s by the probe alone.
    expect(first).toBeGreaterThan(27);
    expect(first).toBeLessThan(60);
    pace.add({ cost: large, seconds: 1.8 * first });
    expect((pace.expect(large) as number) / (1.8 * first)).toBeGreaterThan(1 / 1.15);
    expect((pace.expect(large) as number) / (1.8 * first)).toBeLessThan(1.15);
  });

  it('knows by one run of every stage how long another takes, of other length', () => {
    // What a run of one length shows cannot tell pieces, parameters and operations apart: the device as a whole is 3 × slower.
    const cost = (L: number) => ({ block: 24, weight: 9e7, product: 1.8e8 * L, s6State: 5.9e5 * L });
    const seconds = (L: number) => 3 * (24 * 5e-4 + 9e7 * 8e-10 + 1.8e8 * L * 1.2e-11 + 5.9e5 * L * 1e-9);
    const pace = paceOf([cost(64), seconds(64)]);
    for (const L of [8, 256, 2048]) expect((pace.expect(cost(L)) as number) / seconds(L)).toBeCloseTo(1, 1);
  });

  it('tells what is kept from what is computed: a machine that is slow to hand out memory slows no product down', () => {
    // Pages of memory come ten times as slowly as on a plain machine.
    const pace = paceOf([{ block: 24, product: 1e10 }, 24 * 5e-4 + 0.12], [{ kept: 1e8 }, 0.8]);
    const computed = 24 * 5e-4 + 0.96;
    expect((pace.expect({ block: 24, product: 8e10 }) as number) / computed).toBeGreaterThan(0.9);
    expect((pace.expect({ block: 24, product: 8e10, kept: 8e8 }) as number) / (computed + 6.4)).toBeCloseTo(1, 1);
  });

  it('knows a model to load by a part of a file: what a size leaves open is as on a plain processor', () => {
    const pace = new Pace();
    pace.add({ cost: { model: 1, parameter: 4e6 }, seconds: 0.026 }, true);
    const large = pace.expect({ model: 1, parameter: 1e9 }) as number;
    expect(large).toBeGreaterThan(2);
    expect(large).toBeLessThan(8);
  });

  it('goes by work after runs of one size', () => {
    const pace = paceOf([{ unembedding: 1e9 }, 1], [{ unembedding: 1e9 }, 1]);
    expect(pace.expect({ unembedding: 3e9 })).toBeCloseTo(3, 2);
  });

  it('never expects less than nothing', () => {
    // More work in less time: a device that was busy with something else the first time.
    const pace = paceOf(
      [{ block: 10, product: 1e9 }, 2],
      [{ block: 10, product: 4e9 }, 1],
      [{ block: 20, product: 1e9 }, 1],
    );
    for (const block of [1, 10, 1000])
      for (const product of [1, 1e6, 1e12]) expect(pace.expect({ block, product })).toBeGreaterThanOrEqual(0);
  });

  it('counts the last runs most, and forgets old ones', () => {
    const pace = paceOf([{ product: 1e9 }, 100]);
    for (let k = 0; k < 3; k++) pace.add({ cost: { product: 1e9 }, seconds: 1 });
    expect(pace.expect({ product: 1e9 })).toBeLessThan(1.3);
    for (let k = 0; k < 12; k++) pace.add({ cost: { product: 1e9 }, seconds: 1 });
    expect(pace.expect({ product: 1e9 })).toBeCloseTo(1, 1);
  });
});
