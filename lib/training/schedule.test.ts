import { expect, it } from 'vitest';
import { learningRate } from './schedule';

const schedule = { peak: 1, floor: 0.1, warmupSteps: 10, steps: 101 };

it('warms up linearly, peaks, and ends at the floor', () => {
  expect(learningRate(schedule, 0)).toBeCloseTo(0.1);
  expect(learningRate(schedule, 9)).toBeCloseTo(1);
  expect(learningRate(schedule, 10)).toBeCloseTo(1);
  expect(learningRate(schedule, 55)).toBeCloseTo(0.55);
  expect(learningRate(schedule, 100)).toBeCloseTo(0.1);
});

it('works without warm-up and for a single step', () => {
  expect(learningRate({ peak: 1, floor: 0, warmupSteps: 0, steps: 1 }, 0)).toBeCloseTo(1);
});

it('starts a second cosine at a restart', () => {
  const twice = { ...schedule, steps: 151, restart: { step: 101, peak: 0.5 } };
  for (const step of [0, 10, 55, 100]) expect(learningRate(twice, step)).toBeCloseTo(learningRate(schedule, step));
  expect(learningRate(twice, 101)).toBeCloseTo(0.5);
  expect(learningRate(twice, 150)).toBeCloseTo(0.1);
});
