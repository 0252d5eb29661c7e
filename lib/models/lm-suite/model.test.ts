import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { architectureOf } from '@/lib/architectures';
import { weightsOf } from '@/lib/architectures/weights';
import { BLOCK_KINDS, type BlockKind } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import { Random } from '@/lib/random';
import { extend } from '../decode';
import { type Hook, silent } from '../hooks';
import { subLayersOf } from './config';
import { initialLmSuite } from './initialise';
import { createLmSuiteModel, type LmSuiteModel } from './model';
import { lmSuiteTensors } from './shapes';
import { distance, movedWeights, tinySuite } from './test-support';

const TOKENS = [
  [5, 17, 3, 28, 8, 8, 21],
  [0, 9, 16, 25, 2, 27, 11],
];
const LABELS = [
  [17, 3, 28, 8, 8, 21, -100],
  [9, 16, 25, 2, 27, 11, -100],
];

const read = (tensor: tf.Tensor) => tensor.dataSync();

beforeAll(() => openDevice({ device: 'cpu' }));

describe.each(BLOCK_KINDS)('a suite of %s', (kind: BlockKind) => {
  const config = tinySuite(kind);
  const tensors = movedWeights(config, new Random(7));
  let model: LmSuiteModel;
  beforeAll(() => {
    model = createLmSuiteModel(config, tensors);
  });

  it('decodes with state to what the forward pass gives', () => {
    const full = model.forward(TOKENS);
    const start = extend(
      model,
      TOKENS.map((row) => row.slice(0, 4)),
    );
    expect(distance(read(start.logits), read(full.slice([0, 3, 0], [-1, 1, -1])))).toBeLessThan(1e-5);
    const rest = extend(
      model,
      TOKENS.map((row) => row.slice(4)),
      start.state,
    );
    expect(distance(read(rest.logits), read(full.slice([0, 6, 0], [-1, 1, -1])))).toBeLessThan(1e-5);
  });

  it('adds what the plain block gives for the same weights, and normalises after it', () => {
    const { cache } = model.runWithCache(TOKENS, { names: ['hook_embed', 'sublayers.*'] });
    const value = (name: string) => cache.get(name) as tf.Tensor3D;
    const layer = subLayersOf(config)[1];
    if (layer.kind !== 'mixer') throw new Error('The second sub-layer is a mixer.');
    const renamed = (name: string) => name.replace('mixer_1.', 'm1.').replace('mixer_2.', 'm2.').replace('mixer.', '');
    const own = architectureOf(layer.block)
      .tensors(layer.block)
      .map(([name]) => {
        const stored = tensors.get(`layers.1.layer.${renamed(name)}`);
        return [name, tf.tensor(stored?.data as Float32Array, [...(stored?.shape ?? [])])] as const;
      });
    const plain = architectureOf({ kind }).forward(
      value('sublayers.1.hook_resid_pre'),
      weightsOf(new Map(own)),
      layer.block,
      silent,
    );
    expect(distance(read(value('sublayers.1.hook_out_proj')), read(plain))).toBeLessThan(1e-5);

    const sum = value('sublayers.1.hook_resid_pre').add(plain);
    expect(distance(read(value('sublayers.1.hook_resid_sum')), read(sum))).toBeLessThan(1e-5);
    const post = read(value('sublayers.1.hook_resid_post'));
    const [weight, bias] = ['weight', 'bias'].map((name) => tensors.get(`layers.1.norm.norm.${name}`)?.data ?? []);
    const normed = sum.reshape([14, 16]).arraySync() as number[][];
    const expected = normed.flatMap((row) => {
      const mean = row.reduce((a, b) => a + b) / 16;
      const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / 16;
      return row.map((x, e) => ((x - mean) / Math.sqrt(variance + 1e-5)) * weight[e] + bias[e]);
    });
    expect(distance(post, expected)).toBeLessThan(1e-4);
    expect(read(value('sublayers.2.hook_resid_pre'))).toEqual(post);
    expect(read(value('sublayers.0.hook_resid_pre'))).toEqual(read(value('hook_embed')));
  });

  it('loses what its predictions say', () => {
    const logits = model.forward(TOKENS).arraySync() as number[][][];
    const losses = LABELS.flatMap((row, b) => row.flatMap((id, t) => (id < 0 ? [] : [-logits[b][t][id]])));
    const mean = losses.reduce((a, b) => a + b) / losses.length;
    expect(read(model.loss(TOKENS, LABELS))[0]).toBeCloseTo(mean, 5);
    const last = model.forward(TOKENS, { logits: 'last' }).arraySync() as number[][][];
    expect(
      distance(
        last.flat(2),
        logits.flatMap((row) => row[6]),
      ),
    ).toBeLessThan(1e-6);
  });
});

describe('gradients', () => {
  /** L(θ + εv) − L(θ − εv) along the gradient itself, for each parameter in turn. */
  it.each(['diff_mamba2', 'mamba1'] as const)('of the loss agree with finite differences (%s)', (kind) => {
    const config = tinySuite(kind);
    const model = createLmSuiteModel(config, movedWeights(config, new Random(21)));
    const loss = () => model.loss(TOKENS, LABELS, { training: true, seed: 4 });
    const { grads } = tf.variableGrads(loss, [...model.parameters.values()]);
    const epsilon = 5e-3;
    for (const [name, variable] of model.parameters) {
      const gradient = grads[variable.name];
      const norm = read(gradient.norm())[0];
      const direction = gradient.div(norm + 1e-12);
      const before = variable.clone();
      const at = (step: number) => {
        variable.assign(before.add(direction.mul(step)));
        return read(loss())[0];
      };
      const slope = (at(epsilon) - at(-epsilon)) / (2 * epsilon);
      variable.assign(before);
      expect(Math.abs(slope - norm), `${name}: ${slope} against ${norm}`).toBeLessThan(0.01 * norm + 3e-4);
    }
  });
});

describe('hooks', () => {
  const config = tinySuite('diff_mamba2');
  let model: LmSuiteModel;
  beforeAll(() => {
    model = createLmSuiteModel(config, movedWeights(config, new Random(8)));
  });
  const run = (names: string[], hooks: Hook[] = []) => model.runWithCache(TOKENS, { names, hooks }).cache;

  it('are met in the order of the forward pass, with the shapes of the vocabulary', () => {
    const cache = run(['*resid*', '*ffn*', '*out_proj', '*lambda', 'hook_*']);
    const shapes = [...cache].map(([name, { shape }]) => `${name} ${shape}`);
    expect(shapes.filter((line) => !/sublayers\.0/.test(line))).toEqual([
      'hook_embed 2,7,16',
      'sublayers.1.hook_resid_pre 2,7,16',
      'sublayers.1.mixer_1.hook_out_proj 2,7,16',
      'sublayers.1.mixer_2.hook_out_proj 2,7,16',
      'sublayers.1.hook_lambda ',
      'sublayers.1.hook_out_proj 2,7,16',
      'sublayers.1.hook_resid_sum 2,7,16',
      'sublayers.1.hook_resid_post 2,7,16',
      'sublayers.2.hook_resid_pre 2,7,16',
      'sublayers.2.hook_ffn_pre 2,7,64',
      'sublayers.2.hook_ffn_post 2,7,64',
      'sublayers.2.hook_out_proj 2,7,16',
      'sublayers.2.hook_resid_sum 2,7,16',
      'sublayers.2.hook_resid_post 2,7,16',
      'hook_logits 2,7,29',
    ]);
  });

  it('replace what lies downstream and nothing upstream', () => {
    const plain = run(['*']);
    const order = [...plain.keys()].filter((name) => !/hook_(A_bar|B_bar|h)(\.|$)/.test(name));
    for (const point of order) {
      const after = run(order, [[point, (value) => value.mul(0.5).add(0.1)]]);
      const first = order.find((name) => {
        const [a, b] = [plain.get(name) as tf.Tensor, after.get(name) as tf.Tensor];
        return distance(read(a), read(b)) > 1e-5 * read(a.abs().max())[0];
      });
      expect(first, `first change after editing ${point}`).toBe(point);
      tf.dispose([...after.values()]);
    }
  });

  it('leave a replacement with its owner', () => {
    const mine = tf.zeros([2, 7, 16]);
    model.forward(TOKENS, { hooks: [['sublayers.0.hook_resid_post', () => mine]] });
    expect(mine.isDisposed).toBe(false);
  });

  it('let gradients through', () => {
    const gradient = tf.grad((edit: tf.Tensor) =>
      model.loss(TOKENS, LABELS, { hooks: [['sublayers.0.hook_out_proj', (value) => value.add(edit)]] }),
    );
    expect(
      read(
        gradient(tf.zeros([2, 7, 16]))
          .abs()
          .max(),
      )[0],
    ).toBeGreaterThan(0);
  });
});

describe('dropout', () => {
  const config = tinySuite('mamba2');
  let model: LmSuiteModel;
  beforeAll(() => {
    model = createLmSuiteModel(config, movedWeights(config, new Random(9)));
  });

  it('repeats with its seed and is off in evaluation', () => {
    const loss = (options = {}) => read(model.loss(TOKENS, LABELS, options))[0];
    expect(loss({ training: true, seed: 1 })).toBe(loss({ training: true, seed: 1 }));
    expect(loss({ training: true, seed: 1 })).not.toBe(loss({ training: true, seed: 2 }));
    expect(loss({ seed: 1 })).toBe(loss());
    expect(() => loss({ training: true })).toThrow(/seed/);
  });

  it.each(['residual', 'embedding', 'softmax'] as const)('acts at %s alone when only that rate is set', (where) => {
    const own = { residual: 0, embedding: 0, softmax: 0, [where]: 0.5 };
    const changed = createLmSuiteModel({ ...config, dropout: own }, movedWeights(config, new Random(9)));
    const names = ['hook_embed', 'sublayers.0.hook_resid_sum', 'sublayers.2.hook_resid_post', 'hook_logits'];
    const plain = model.runWithCache(TOKENS, { names }).cache;
    const dropped = changed.runWithCache(TOKENS, { names, training: true, seed: 3 }).cache;
    const differs = names.map(
      (name) => distance(read(plain.get(name) as tf.Tensor), read(dropped.get(name) as tf.Tensor)) > 1e-3,
    );
    const first = { embedding: 0, residual: 1, softmax: 3 }[where];
    expect(differs).toEqual(names.map((_, i) => i >= first));
  });
});

describe('initial weights', () => {
  it('have the distributions of the suite', () => {
    const config = tinySuite('diff_mamba1', { d: 64, V: 500, cutoffs: [200], divVal: 4 });
    const tensors = initialLmSuite(config, new Random(1));
    const data = (name: string) => [...(tensors.get(name) ?? { data: [] }).data];
    const deviation = (name: string) => Math.sqrt(data(name).reduce((sum, x) => sum + x * x, 0) / data(name).length);
    expect(deviation('encoder.emb_layers.0.weight') * Math.sqrt(64)).toBeCloseTo(0.5, 1);
    expect(deviation('encoder.emb_layers.1.weight') * Math.sqrt(16)).toBeCloseTo(0.5, 1);
    expect(deviation('encoder.emb_projs.1') * Math.sqrt(64)).toBeCloseTo(0.5, 1);
    expect(deviation('layers.0.layer.lambda_q1')).toBeGreaterThan(0.1);
    const largest = (name: string) => data(name).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    for (const [name, fanIn] of [
      ['layers.2.layer.ff.0.0.weight', 64],
      ['layers.2.layer.ff.2.weight', 256],
      ['layers.2.layer.ff.2.bias', 256],
      ['layers.0.layer.m1.conv1d.bias', 4],
      ['layers.0.layer.m2.dt_proj.weight', 4],
      ['loss.out_layers_biases.0', 64],
    ] as const) {
      expect(largest(name), name).toBeLessThanOrEqual(1 / Math.sqrt(fanIn));
      expect(largest(name), name).toBeGreaterThan(0.85 / Math.sqrt(fanIn));
    }
    for (const name of ['loss.cluster_weight', 'loss.cluster_bias', 'loss.out_projs.0', 'layers.0.norm.norm.bias'])
      expect(largest(name), name).toBe(0);
    for (const name of ['layers.0.norm.norm.weight', 'layers.0.layer.subln.weight', 'layers.0.layer.m1.D'])
      expect(new Set(data(name)), name).toEqual(new Set([1]));
    expect(data('layers.0.layer.m1.A_log').slice(0, 4)).toEqual([1, 2, 3, 4].map((n) => Math.fround(Math.log(n))));
    for (const bias of data('layers.0.layer.m1.dt_proj.bias')) {
      const dt = Math.log1p(Math.exp(bias));
      expect(dt).toBeGreaterThan(0.00099);
      expect(dt).toBeLessThan(0.101);
    }
  });

  it('are the same for the same seed and fit every kind', () => {
    for (const kind of BLOCK_KINDS) {
      const config = tinySuite(kind);
      const [a, b] = [1, 1].map((seed) => initialLmSuite(config, new Random(seed)));
      expect([...a.keys()]).toEqual([...lmSuiteTensors(config).keys()]);
      for (const [name, { data }] of a) {
        expect(data).toEqual(b.get(name)?.data);
        expect(data.every(Number.isFinite), name).toBe(true);
      }
    }
  });
});

describe('inputs that cannot be used', () => {
  const config = tinySuite('mamba2');
  it('are refused with what is wrong', () => {
    const tensors = movedWeights(config, new Random(1));
    const model = createLmSuiteModel(config, tensors);
    expect(() => model.forward([[29]])).toThrow(/Token id 29 is outside/);
    expect(() => model.loss([[1, 2]], [[1]])).toThrow(/1 labels for 2 tokens/);
    expect(() => model.loss([[1, 2]], [[1, 29]])).toThrow(/Label 29 is outside/);
    const lacking = new Map([...tensors].filter(([name]) => name !== 'layers.0.layer.A_log'));
    expect(() => createLmSuiteModel(config, lacking)).toThrow(/lack layers\.0\.layer\.A_log/);
    const other = { shape: [3], data: new Float32Array(3) };
    expect(() => createLmSuiteModel(config, new Map([...tensors, ['more', other]]))).toThrow(/hold more/);
    expect(() => createLmSuiteModel(config, new Map([...tensors, ['loss.cluster_bias', other]]))).toThrow(
      /shape \[3\]/,
    );
  });
});

describe('devices', () => {
  it('agree on the loss and its gradients', async ({ skip }) => {
    const config = tinySuite('diff_mamba2');
    const lossAndGradients = () => {
      const model = createLmSuiteModel(config, movedWeights(config, new Random(6)));
      const loss = () => model.loss(TOKENS, LABELS, { training: true, seed: 2 });
      const { value, grads } = tf.variableGrads(loss, [...model.parameters.values()]);
      return [...read(value), ...[...model.parameters.values()].flatMap(({ name }) => [...read(grads[name])])];
    };
    const onCpu = lossAndGradients();
    const native = await openDevice({ device: 'native' }).then(
      () => true,
      () => false,
    );
    if (!native) skip('The native device is not built.');
    expect(distance(lossAndGradients(), onCpu)).toBeLessThan(1e-4);
  });
});
