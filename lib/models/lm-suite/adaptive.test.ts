import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { weightsOf } from '@/lib/architectures/weights';
import { openDevice } from '@/lib/engine';
import { Random } from '@/lib/random';
import { adaptiveEmbedding } from './adaptive-embedding';
import { adaptiveSoftmax } from './adaptive-softmax';
import type { LmSuiteConfig } from './config';
import type { LmSuiteTensor } from './model';
import { distance, movedWeights, tinySuite } from './test-support';

const narrowing = tinySuite('mamba2', { V: 29, cutoffs: [9, 17, 22], divVal: 2 });
const level = tinySuite('mamba2', { V: 29, cutoffs: [9, 17, 22], divVal: 1 });
const short = tinySuite('mamba2', { V: 7, cutoffs: [9, 17, 22], divVal: 1 });
const plain = tinySuite('mamba2', { V: 7, cutoffs: [], divVal: 1 });
const noDropout = <T extends tf.Tensor>(x: T) => x;

function device(tensors: ReadonlyMap<string, LmSuiteTensor>) {
  return weightsOf(new Map([...tensors].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])])));
}

/** Rows of a stored matrix, float64. */
function matrix({ data, shape }: LmSuiteTensor): number[][] {
  return Array.from({ length: shape[0] }, (_, row) => [...data.slice(row * shape[1], (row + 1) * shape[1])]);
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** The whole model's word vectors, [V][d]: every row through its projection. */
function denseVectors(tensors: ReadonlyMap<string, LmSuiteTensor>): number[][] {
  const tables = [...tensors.keys()].filter((name) => name.startsWith('encoder.emb_layers.'));
  return tables.flatMap((name, i) => {
    const projection = tensors.get(`encoder.emb_projs.${i}`);
    const rows = matrix(tensors.get(name) as LmSuiteTensor);
    return projection ? rows.map((row) => matrix(projection).map((weights) => dot(weights, row))) : rows;
  });
}

/** p of every token by the definition, one row: head over tokens and clusters, times each tail's softmax. */
function denseProbabilities(config: LmSuiteConfig, tensors: ReadonlyMap<string, LmSuiteTensor>, h: number[]): number[] {
  const get = (name: string) => tensors.get(name) as LmSuiteTensor;
  const vectors = denseVectors(tensors);
  const biases = [...tensors]
    .filter(([name]) => name.startsWith('loss.out_layers_biases.'))
    .flatMap(([, t]) => [...t.data]);
  const ends = [...config.cutoffs, config.V].map((end) => Math.min(end, config.V));
  const clusterOf = (id: number) => ends.findIndex((end) => id < end);
  const headH = tensors.has('loss.out_projs.0')
    ? Array.from({ length: config.d }, (_, e) =>
        matrix(get('loss.out_projs.0')).reduce((sum, row, k) => sum + h[k] * row[e], 0),
      )
    : h;
  // The head has a projection of its own, so its tokens' vectors are the stored ones.
  const headVectors = matrix(get('encoder.emb_layers.0.weight'));
  const logit = (id: number) => (clusterOf(id) === 0 ? dot(headVectors[id], headH) : dot(vectors[id], h)) + biases[id];
  const clusterLogits =
    config.cutoffs.length > 0
      ? matrix(get('loss.cluster_weight')).map((row, i) => dot(row, headH) + get('loss.cluster_bias').data[i])
      : [];
  const members = ends.map((_, i) =>
    Array.from({ length: config.V }, (_, id) => id).filter((id) => clusterOf(id) === i),
  );
  const headSum = [...members[0].map(logit), ...clusterLogits].reduce((sum, value) => sum + Math.exp(value), 0);
  return Array.from({ length: config.V }, (_, id) => {
    const i = clusterOf(id);
    if (i === 0) return Math.exp(logit(id)) / headSum;
    const tailSum = members[i].reduce((sum, other) => sum + Math.exp(logit(other)), 0);
    return (Math.exp(clusterLogits[clusterLogits.length - i]) / headSum) * (Math.exp(logit(id)) / tailSum);
  });
}

describe.each(['cpu', 'native'])('on %s', (name) => {
  let opened = false;
  beforeAll(async () => {
    opened = await openDevice({ device: name }).then(
      () => true,
      () => false,
    );
  });

  describe.each([
    ['narrowing tails', narrowing],
    ['one table', level],
    ['a vocabulary that ends before the cutoffs', short],
    ['no tails', plain],
  ])('%s', (_, config) => {
    const tensors = movedWeights(config, new Random(11));
    const random = new Random(12);
    const rows = Array.from({ length: 12 }, () => Array.from({ length: config.d }, () => Math.fround(random.normal())));
    const expected = rows.map((row) => denseProbabilities(config, tensors, row));

    it('embed as the dense tables do, in any order of clusters', ({ skip }) => {
      if (!opened) skip('This device is not built.');
      const ids = Int32Array.from({ length: 40 }, (_, t) => (11 * t + 5) % config.V);
      const embedded = adaptiveEmbedding(ids, config, device(tensors).under('encoder'), noDropout);
      const vectors = denseVectors(tensors);
      const scaled = Array.from(ids, (id) => vectors[id].map((value) => value * Math.sqrt(config.d))).flat();
      expect(distance(embedded.dataSync(), scaled)).toBeLessThan(2e-5);
    });

    it('predict as the dense construction in float64 does, with a sum of one', ({ skip }) => {
      if (!opened) skip('This device is not built.');
      const softmax = adaptiveSoftmax(config, device(tensors), noDropout);
      const found = softmax.logProbabilities(tf.tensor2d(rows)).arraySync() as number[][];
      expect(distance(found.flat(), expected.flat().map(Math.log))).toBeLessThan(1e-5);
      for (const row of found) {
        const sum = row.reduce((total, value) => total + Math.exp(value), 0);
        if (config === short) expect(sum).toBeLessThan(0.999);
        else expect(sum).toBeCloseTo(1, 5);
      }
    });

    it('lose the mean of −ln p over the labelled rows', ({ skip }) => {
      if (!opened) skip('This device is not built.');
      const softmax = adaptiveSoftmax(config, device(tensors), noDropout);
      const labels = Int32Array.from(rows, (_, row) => (row % 5 === 3 ? -100 : (13 * row + 2) % config.V));
      const losses = expected.flatMap((row, i) => (labels[i] < 0 ? [] : [-Math.log(row[labels[i]])]));
      const mean = losses.reduce((a, b) => a + b) / losses.length;
      expect(softmax.loss(tf.tensor2d(rows), labels).dataSync()[0]).toBeCloseTo(mean, 5);
      const last = labels.map((label) => (label === config.V - 1 ? label : -1));
      last[4] = config.V - 1;
      expect(softmax.loss(tf.tensor2d(rows), last).dataSync()[0]).toBeCloseTo(
        last.reduce((sum, label, i) => (label < 0 ? sum : sum - Math.log(expected[i][label])), 0) /
          last.filter((label) => label >= 0).length,
        5,
      );
    });
  });
});

describe('the loss', () => {
  it('sends only the rows of a tail cluster through its vectors', async () => {
    await openDevice({ device: 'cpu' });
    const tensors = movedWeights(narrowing, new Random(3));
    const seen: number[] = [];
    const watched = <T extends tf.Tensor>(x: T, _rate: number, site: string) => {
      if (site === 'softmax 3') seen.push(x.shape[0]);
      return x;
    };
    const softmax = adaptiveSoftmax(narrowing, device(tensors), watched);
    softmax.loss(tf.ones([6, narrowing.d]), Int32Array.of(0, 23, 10, -1, 28, 4));
    expect(seen).toEqual([2]);
  });

  it('refuses a batch without labels', () => {
    const softmax = adaptiveSoftmax(narrowing, device(movedWeights(narrowing, new Random(3))), noDropout);
    expect(() => softmax.loss(tf.ones([2, narrowing.d]), Int32Array.of(-1, -100))).toThrow(/No position has a label/);
  });
});
