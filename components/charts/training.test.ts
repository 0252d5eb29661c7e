import { describe, expect, it } from 'vitest';
import type { TrainingRun } from '@/lib/api/training';
import { durationText, lambdaPlots, trainingPlots } from './training';

const run = (name: string, more: Partial<TrainingRun> = {}): TrainingRun => ({
  folder: `/runs/${name}`,
  name,
  arm: 0,
  seed: 0,
  step: 20,
  steps: 40,
  stage: 'stage 1',
  finished: false,
  updatedAt: '2026-11-28T12:00:00.000Z',
  secondsLeft: 10,
  tokensPerSecond: 1000,
  points: [
    { step: 10, text: 2, answers: null, lambda: [] },
    { step: 20, text: 1.5, answers: null, lambda: [] },
  ],
  evaluations: [],
  samples: [],
  ...more,
});

const asked = (person: number) => ({
  step: 20,
  accuracy: person / 2,
  labels: { person: { accuracy: person, n: 4 }, object: { accuracy: 0, n: 4 } },
  text: 1.4,
  answers: 0.3,
});

describe('trainingPlots', () => {
  it('leaves out what is not measured', () => {
    const [text, ...others] = trainingPlots([run('a')]);
    expect(others).toEqual([]);
    expect(text).toMatchObject({ title: 'Loss of text', unit: 'nats' });
    expect(text.lines[0].points).toEqual([
      { step: 10, value: 2 },
      { step: 20, value: 1.5 },
    ]);
  });

  it('draws accuracy whole and by label, of the runs that have it', () => {
    const plots = trainingPlots([run('a'), run('b', { evaluations: [asked(0.5)] })]);
    expect(plots.map(({ title, lines }) => [title, lines.map((line) => line.run.name)])).toEqual([
      ['Loss of text', ['a', 'b']],
      ['Held-out accuracy', ['b']],
      ['Held-out accuracy, object', ['b']],
      ['Held-out accuracy, person', ['b']],
      ['Held-out loss of text', ['b']],
    ]);
    expect(plots[3].lines[0].points).toEqual([{ step: 20, value: 0.5 }]);
  });
});

it('draws λ of each differential block of any run, in order', () => {
  const lambda = (...blocks: number[]) => ({
    points: [{ step: 10, text: 2, answers: null, lambda: blocks.map((block) => ({ block, lambda: block / 10 })) }],
  });
  const plots = lambdaPlots([run('a', lambda(2)), run('b', lambda(10, 2)), run('c')]);
  expect(plots.map(({ title, lines }) => [title, lines.map((line) => [line.run.name, line.points[0].value])])).toEqual([
    [
      'λ of layer 2',
      [
        ['a', 0.2],
        ['b', 0.2],
      ],
    ],
    ['λ of layer 10', [['b', 1]]],
  ]);
});

it.each([
  [12.3, '13 s'],
  [100, '2 min'],
  [5940, '99 min'],
  [6061, '1 h 42 min'],
])('says %d s as %s', (seconds, text) => expect(durationText(seconds)).toBe(text));
