import { describe, expect, it } from 'vitest';
import { Pace } from './pace';

const paceOf = (...seen: [steps: number, work: number, seconds: number][]) => {
  const pace = new Pace();
  for (const [steps, work, seconds] of seen) pace.add({ steps, work, seconds });
  return pace;
};

describe('Pace', () => {
  it('knows nothing before a run', () => {
    expect(new Pace().expect({ steps: 10, work: 1e9 })).toBeNull();
  });

  it('tells apart what steps and what work cost', () => {
    const pace = paceOf([10, 1e6, 0.1 + 1e-4], [10, 1e9, 0.1 + 0.1], [50, 4e9, 0.5 + 0.4]);
    expect(pace.expect({ steps: 100, work: 1e10 })).toBeCloseTo(1 + 1, 6);
  });

  it('goes by work after runs of one size', () => {
    const pace = paceOf([10, 1e9, 1], [10, 1e9, 1]);
    expect(pace.expect({ steps: 10, work: 3e9 })).toBeCloseTo(3, 6);
  });

  it('never expects less than nothing', () => {
    // More work in less time: a device that was busy with something else the first time.
    const pace = paceOf([10, 1e9, 2], [10, 4e9, 1], [20, 1e9, 1]);
    for (const steps of [0, 10, 1000])
      for (const work of [0, 1e6, 1e12]) expect(pace.expect({ steps, work })).toBeGreaterThanOrEqual(0);
  });

  it('forgets old runs', () => {
    const pace = paceOf([10, 1e9, 100]);
    for (let k = 0; k < 16; k++) pace.add({ steps: 10, work: 1e9, seconds: 1 });
    expect(pace.expect({ steps: 10, work: 1e9 })).toBeCloseTo(1, 6);
  });
});
