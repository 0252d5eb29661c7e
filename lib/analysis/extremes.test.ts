import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError, type SingleKind } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import {
  attentionOf,
  type BlockCache,
  blockForm,
  branchesOf,
  channelStatistics,
  finalResidual,
  logitDirection,
  logitForm,
  normForm,
  type Operator,
  operatorOf,
  parseReduction,
  requireFinite,
  rollout,
  type ScanParameters,
  topChannels,
} from '.';
import { blocksOf } from './testing/fixtures';
import { randomModel } from './testing/randomModel';

const KINDS: readonly SingleKind[] = ['mamba1', 'mamba2', 'diff_mamba1', 'diff_mamba2', 'diff_s6_mamba2'];
const REDUCTIONS = ['mean', 'mean_abs', 'max', 'channel:3'];

beforeAll(async () => {
  await openDevice();
});

const modelOf = (kind: SingleKind) => randomModel({ kinds: [kind, kind], seed: 4, heads: 2, groups: 1, N: 5, K: 4 });

const tokensOf = (L: number) => [Array.from({ length: L }, (_, t) => (5 * t * t) % 17)];

interface Made {
  readonly what: string;
  readonly map: Float32Array;
  readonly reconstructionError: number;
}

/** Every form, branch and reduction of a block. */
function* everyMap(block: BlockCache, parameters: Operator, u: Float32Array): Generator<Made> {
  for (const branch of branchesOf(block.kind)) {
    yield { what: `logit ${branch}`, ...logitForm(block, parameters, u, branch) };
    yield { what: `norm ${branch}`, ...normForm(block, parameters, branch) };
    for (const reduce of REDUCTIONS)
      yield { what: `s6 ${branch} ${reduce}`, ...attentionOf(block, { branch, reduce }) };
  }
  for (const [scan, inputs] of block.scans)
    for (const reduce of REDUCTIONS) {
      const weights = parameters.scans.get(scan) as ScanParameters;
      yield { what: `block ${scan} ${reduce}`, ...blockForm(inputs, weights, parseReduction(reduce)) };
    }
}

function* mapsOf(model: Model, tokens: number[][]): Generator<Made> {
  const u = logitDirection(model, finalResidual(model, tokens), 3);
  for (const block of blocksOf(model, tokens)) yield* everyMap(block, operatorOf(model, block), u);
}

/** Fills every parameter whose name ends so. */
function fill(model: Model, ending: RegExp, number: number): void {
  const found = [...model.parameters].filter(([name]) => ending.test(name));
  expect(found.length).toBeGreaterThan(0);
  for (const [, value] of found) value.assign(tf.fill(value.shape, number));
}

const STEP = /dt[12]?_proj\.bias$|dt[12]?_bias$/;
const RATE = /A[12]?_log$/;

describe.each(KINDS)('every form of %s is finite and right', (kind) => {
  it.each([
    ['rates of e⁻¹⁴', RATE, -14],
    ['rates of e⁷', RATE, 7],
    ['steps of 10⁻¹⁷', STEP, -40],
    ['steps of 60', STEP, 60],
  ])('with %s', (_what, ending, number) => {
    const model = modelOf(kind);
    fill(model, ending, number);
    for (const { what, map, reconstructionError } of mapsOf(model, tokensOf(35))) {
      expect(map.every(Number.isFinite), what).toBe(true);
      expect(reconstructionError, what).toBeLessThan(1e-4);
    }
    model.dispose();
  });

  it('over 300 tokens', () => {
    const model = modelOf(kind);
    for (const { what, map, reconstructionError } of mapsOf(model, tokensOf(300))) {
      expect(map.every(Number.isFinite), what).toBe(true);
      expect(reconstructionError, what).toBeLessThan(1e-4);
    }
    model.dispose();
  });
});

describe.each<SingleKind>(['mamba1', 'diff_mamba2'])('numbers that are none in weights of %s', (kind) => {
  const names = [...modelOf(kind).parameters.keys()].filter((name) => name.startsWith('backbone.layers.0.'));

  it.each(names)('%s are never drawn: a map is finite or refused in one sentence', (name) => {
    const model = modelOf(kind);
    const parameter = model.parameters.get(name) as tf.Variable;
    const values = parameter.dataSync().slice() as Float32Array;
    values[values.length - 1] = Number.NaN;
    parameter.assign(tf.tensor(values, parameter.shape));
    let refused = 0;
    const check = () => {
      for (const made of mapsOf(model, tokensOf(9))) {
        if (made.map.every(Number.isFinite)) continue;
        refused += 1;
        expect(() => requireFinite(made, made.what), made.what).toThrow(InputError);
      }
    };
    if (name.includes('lambda')) expect(check).toThrow(/λ of layer 0 is NaN/);
    else check();
    expect(refused).toBeGreaterThan(0);
    model.dispose();
  });

  it('are refused by statistics, pairs and rollouts too', () => {
    const model = modelOf(kind);
    fill(model, RATE, Number.NaN);
    const [block] = blocksOf(model, tokensOf(9));
    const [inputs] = block.scans.values();
    expect(() => channelStatistics(block, operatorOf(model, block))).toThrow(/not finite.*weights/);
    expect(() => topChannels(inputs, { target: 5, source: 2, k: 3 })).toThrow(/not finite/);
    const { map } = attentionOf(block, { branch: branchesOf(kind)[0], reduce: 'mean' });
    expect(() => rollout([map], 9)).toThrow(InputError);
    model.dispose();
  });
});
