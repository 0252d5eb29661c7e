import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';
import type { DataSource, Row } from '@/lib/data/source';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { INITIAL, initialCheckpoint } from '@/lib/training';
import { criteria, type EmergenceReport, emergence, readOuts } from './emergence';
import { resamplingOf } from './intervals';

const V = 12;

function checkpointOf(layers: string): Checkpoint {
  const sizes = { hidden_size: 16, num_hidden_layers: 3, state_size: 8, conv_kernel: 4, expand: 2, head_dim: 8 };
  const config = parseConfig({ ...sizes, layers, model_type: 'statescope', vocab_size: V }, new Map(), 'model');
  return initialCheckpoint(config, new Random(5), 'tiny', { ...INITIAL, embeddingDeviation: 1 });
}

/** Rows of 6 to 9 tokens; one in three asks `b`, and its answer is named before. */
const row = (index: number): Row => {
  const random = new Random(index);
  const tokens = Int32Array.from({ length: 6 + (index % 4) }, () => random.integer(0, V - 1));
  const end = tokens.length;
  tokens[end - 1] = tokens[1];
  return { tokens, answers: [{ start: end - 1, end, label: index % 3 === 0 ? 'b' : 'a' }] };
};

const source = { row: (_split: string, index: number) => row(index) } as DataSource;

let model: Model;

beforeAll(async () => {
  await openDevice();
  model = createModel(checkpointOf('mamba2'));
});

afterAll(() => model.dispose());

describe('readOuts', () => {
  it('takes the first rows of each label, up to their answer', () => {
    const rows = readOuts(source, 'test', ['a', 'b'], 3);
    expect(rows.map(({ label }) => label)).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
    expect(rows.map(({ tokens, target }) => [...tokens, target])).toEqual(
      [1, 2, 4, 0, 3, 6].map((i) => [...row(i).tokens]),
    );
  });

  it('says which questions are too few, and refuses answers of several tokens', () => {
    expect(() => readOuts(source, 'test', ['a', 'c'], 3)).toThrow('0 rows that end with a c question');
    const long = { row: () => ({ tokens: Int32Array.of(1, 2, 3), answers: [{ start: 1, end: 3 }] }) };
    const known = {
      row: () => ({
        ...row(0),
        classes: {
          needle: [
            [2, 4],
            [1, 2],
          ],
        },
      }),
    } as unknown as DataSource;
    expect(readOuts(known, 'test', ['b'], 1)[0].distance).toBe(row(0).tokens.length - 2);
    expect(() => readOuts(long as unknown as DataSource, 'test', ['a'], 1)).toThrow('one token');
  });
});

describe('emergence', () => {
  const rows = readOuts(source, 'test', ['a', 'b'], 40);

  /** p(answer) as the model itself has it. */
  function probabilities(one: Model): number[] {
    return rows.map(({ tokens, target }) => {
      const p = tf.tidy(() => tf.softmax(one.forward([[...tokens]], { logits: 'last' })).dataSync());
      return p[target];
    });
  }

  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it('ends with what the model says, and begins with what its first block says', () => {
    const report = emergence(model, rows, resamplingOf(1, 50));
    expect(report.p).toHaveLength(3);
    expect(report.p[2]).toBeCloseTo(mean(probabilities(model)), 5);
    const [a, b] = report.labels;
    expect(report.p[0]).toBeCloseTo((a.p[0] + b.p[0]) / 2, 6);
    const best = rows.map(({ tokens }) =>
      tf.tidy(
        () =>
          model
            .forward([[...tokens]], { logits: 'last' })
            .flatten()
            .argMax()
            .dataSync()[0],
      ),
    );
    const right = best.filter((id, i) => rows[i].label === 'a' && id === rows[i].target).length;
    expect(a.accuracy.mean).toBeCloseTo(right / 40, 6);
    expect(a.accuracy.n).toBe(40);
    expect(report.tokens).toBeCloseTo(mean(rows.map(({ tokens }) => tokens.length)), 6);
  });

  it.each(['mamba2', 'diff_mamba2'])('zeroes one lag at a time and puts the weights of %s back', (layers) => {
    const checkpoint = checkpointOf(layers);
    const whole = createModel(checkpoint);
    const before = probabilities(whole);
    const { lags, p } = emergence(whole, rows, resamplingOf(1, 50));
    expect(probabilities(whole)).toEqual(before);
    expect(lags.map(({ lag }) => lag)).toEqual([0, 1, 2, 3]);
    for (const { lag, p: without, loss } of lags) {
      const tensors = new Map(
        [...checkpoint.tensors].map(([name, tensor]) => {
          if (!/layers\.0\..*conv1d\.weight$/.test(name)) return [name, tensor];
          const data = (tensor.data as Float32Array).map((value, i) => (i % 4 === 3 - lag ? 0 : value));
          return [name, { ...tensor, data }];
        }),
      );
      const edited = createModel({ ...checkpoint, tensors });
      expect(without).toBeCloseTo(mean(probabilities(edited)), 5);
      expect(loss).toBeCloseTo(p[2] - without, 6);
      edited.dispose();
    }
    expect(Math.max(...lags.map(({ loss }) => Math.abs(loss)))).toBeGreaterThan(1e-4);
    whole.dispose();
  });

  it('tells apart how far back the facts stand', () => {
    const far = rows.slice(0, 12).map((one, i) => ({ ...one, distance: i < 5 ? 63 : 64 + i }));
    const [{ distances, accuracy }] = emergence(model, far, resamplingOf(1, 50)).labels;
    expect(distances.map(({ from, to, n }) => [from, to, n])).toEqual([
      [0, 64, 5],
      [64, 128, 7],
    ]);
    expect((5 * distances[0].accuracy + 7 * distances[1].accuracy) / 12).toBeCloseTo(accuracy.mean, 6);
    expect(emergence(model, rows, resamplingOf(1, 50)).labels[0].distances).toEqual([]);
  });

  it('knows what naming a place would get right', () => {
    const told = [
      { tokens: Int32Array.of(1, 2, 1, 9), target: 1, label: 'a' },
      { tokens: Int32Array.of(2, 1, 3, 9), target: 3, label: 'a' },
      { tokens: Int32Array.of(1, 9, 9, 9), target: 2, label: 'b' },
    ];
    const { labels } = emergence(model, told, resamplingOf(1, 50));
    expect(labels[0].naming).toEqual({ any: (1 / 2 + 1 / 3) / 2, last: 1 });
    expect(labels[1].naming).toEqual({ any: 0, last: 0 });
  });
});

describe('criteria', () => {
  const accuracy = (value: number) => ({ mean: value, low: value - 0.03, high: value + 0.03, n: 500, seeds: 1 });
  const naming = { any: 0.2, last: 0.3 };
  const good: EmergenceReport = {
    model: 'tiny',
    rows: 1000,
    tokens: 250,
    labels: [
      { label: 'one-hop', accuracy: accuracy(0.9), distances: [], naming, p: [0.1, 0.5, 0.7, 0.8], half: 1 },
      { label: 'two-hop', accuracy: accuracy(0.7), distances: [], naming, p: [0.1, 0.2, 0.4, 0.6], half: 2 },
    ],
    p: [0.1, 0.35, 0.55, 0.7],
    lags: [
      { lag: 0, p: 0.5, loss: 0.2 },
      { lag: 1, p: 0.6, loss: 0.1 },
    ],
  };
  const [one, two] = good.labels;
  const failing = (report: EmergenceReport) => criteria(report).flatMap(({ met }, index) => (met ? [] : [index]));

  it('is content with a curve that rises over several blocks', () => {
    expect(failing(good)).toEqual([]);
  });

  it.each([
    ['one hop', { labels: [{ ...one, accuracy: accuracy(0.84) }, two] }, [0]],
    ['two hops', { labels: [one, { ...two, accuracy: accuracy(0.59) }] }, [1]],
    ['naming', { labels: [one, { ...two, naming: { any: 0.1, last: 0.68 } }] }, [2]],
    ['the first block', { p: [0.22, 0.35, 0.55, 0.7] }, [3]],
    ['a step', { p: [0.1, 0.66, 0.69, 0.7] }, [4]],
    ['the same block', { labels: [{ ...one, half: 2 }, two] }, [5]],
    ['certainty', { p: [0.1, 0.3, 0.6, 0.96] }, [6]],
    ['a lag', { lags: [{ lag: 3, p: 0.35, loss: 0.35 }] }, [7]],
  ])('notices %s', (_what, change, failed) => {
    expect(failing({ ...good, ...change } as EmergenceReport)).toEqual(failed);
  });
});
