import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { InputError, isHybrid } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import { createModel, lossAndGradients, type Model, nextTokenLoss } from '@/lib/models';
import { hybridCases } from '@/lib/models/testing/hybrids';
import {
  allocation,
  attentionOf,
  type BlockCache,
  blockForm,
  branchesOf,
  directLogitAttribution,
  drain,
  finalResidual,
  isSoftmax,
  logitDirection,
  logitForm,
  mixerBranchesOf,
  normForm,
  operatorOf,
  parseReduction,
  type ScanParameters,
  scanOf,
  shareSteps,
} from '.';
import { branchTerms } from './causal/branchTerms';
import { baselineOf } from './causal/continuation';
import { knockoutHooks } from './causal/knockoutHooks';
import { type Computed, ORDERS, scoresOf } from './faithfulness/orders';
import { blocksOf } from './testing/fixtures';

beforeAll(async () => {
  await openDevice();
});

const reading = ({ kind }: BlockCache) => branchesOf(kind).length > 0;

describe.each(hybridCases())('$name', ({ folder, tokens: [tokens] }) => {
  const L = tokens.length;
  const i = L - 1;
  let model: Model;
  let blocks: BlockCache[];
  beforeAll(async () => {
    model = createModel(await loadCheckpoint(folder));
    blocks = [...blocksOf(model, [tokens])];
  });
  afterAll(() => model.dispose());

  const valuesOf = (name: string, hooks: Parameters<Model['blocksOf']>[1] = []) => {
    const { logits, cache } = model.runWithCache([tokens], { names: [name], hooks });
    const values = (cache.get(name) as tf.Tensor).dataSync().slice() as Float32Array;
    tf.dispose([logits, ...cache.values()]);
    return values;
  };

  it('shows the softmax weights of the reference, by head and as their mean', async () => {
    const expected = await readSafetensors(join(folder, 'expected.safetensors'));
    for (const block of blocks) {
      const stored = expected.get(`blocks.${block.index}.hook_attn_pattern`);
      const branch = mixerBranchesOf(block.kind).find((each) => isSoftmax(block.kind, each));
      expect(branch !== undefined).toBe(stored !== undefined);
      if (!stored || !branch) continue;
      const [, H] = stored.shape;
      const mean = new Float64Array(L * L);
      for (let h = 0; h < H; h++) {
        const own = (stored.data as Float32Array).subarray(h * L * L, (h + 1) * L * L);
        const { map, reconstructionError } = attentionOf(block, { branch, reduce: `head:${h}` });
        expect(reconstructionError).toBeLessThan(1e-4);
        map.forEach((value, k) => {
          mean[k] += own[k] / H;
          expect(Math.abs(value - own[k])).toBeLessThan(1e-4);
        });
      }
      attentionOf(block, { branch, reduce: 'mean' }).map.forEach((value, k) => {
        expect(Math.abs(value - mean[k])).toBeLessThan(1e-4);
      });
      expect(() => attentionOf(block, { branch, reduce: `head:${H}` })).toThrow(InputError);
    }
  });

  it('gives back what its blocks add, by every form and branch', () => {
    const u = logitDirection(model, finalResidual(model, [tokens]), 3);
    for (const block of blocks) {
      const operator = operatorOf(model, block);
      for (const branch of branchesOf(block.kind)) {
        const where = `${block.kind} ${block.index} ${branch}`;
        expect(normForm(block, operator, branch).reconstructionError, where).toBeLessThan(1e-4);
        expect(logitForm(block, operator, u, branch).reconstructionError, where).toBeLessThan(1e-4);
      }
      for (const branch of mixerBranchesOf(block.kind)) {
        expect(attentionOf(block, { branch, reduce: 'mean' }).reconstructionError).toBeLessThan(1e-4);
        const inputs = block.scans.get(scanOf(branch));
        if (isSoftmax(block.kind, branch) || !inputs) continue;
        const parameters = operator.scans.get(scanOf(branch)) as ScanParameters;
        for (const reduce of ['mean', 'channel:3'])
          expect(blockForm(inputs, parameters, parseReduction(reduce)).reconstructionError).toBeLessThan(1e-4);
      }
      if (!reading(block)) expect(() => normForm(block, operator, 'single')).toThrow(/reads no other token/);
    }
  });

  it('measures the same reads by whole maps, by the row of the token that is read, and by taking them out', () => {
    const pass = baselineOf(model, tokens, i);
    const j = 4;
    for (const block of blocks.filter(reading)) {
      const { d } = model.config;
      const name = `blocks.${block.index}.hook_out_proj`;
      const { map } = normForm(block, operatorOf(model, block), 'single');
      const { first, output, reconstructionError } = branchTerms(model, pass, block.index);
      expect(reconstructionError).toBeLessThan(1e-4);
      const own = first.subarray(j * d, (j + 1) * d);
      const top = Math.max(...map.subarray(i * L, (i + 1) * L));
      expect(Math.abs(Math.hypot(...own) - map[i * L + j])).toBeLessThan(1e-4 * top);
      // A block with a norm after its gate is linear in what is removed with that norm held, which is another test's.
      if (block.scans.size > 0) continue;
      const removed = [{ sources: [[j, j + 1] as const], queries: [i, i + 1] as const }];
      const without = valuesOf(name, knockoutHooks(model, block.index, removed, { reads: 'block' })).subarray(i * d);
      for (let c = 0; c < d; c++) expect(output[c] - without[c]).toBeCloseTo(own[c], 4);
    }
  });

  it('allocates reads to classes of tokens that add up to what each block adds', () => {
    const needle = [3, 6] as const;
    for (const { layer, kind, net, reconstructionError } of allocation(model, { tokens, target: 5, needle })) {
      expect(reconstructionError, kind).toBeLessThan(1e-4);
      const shares = net.projection.reduce((sum, share) => sum + share, 0);
      if (reading(blocks[layer])) expect(shares).toBeCloseTo(1, 4);
    }
  });

  it('takes logits apart into embedding, attention, Mamba and MLPs', () => {
    const targets = [3, 9];
    const found = directLogitAttribution(model, tokens, { targets });
    expect(found.error).toBeLessThan(1e-5);
    const logits = tf.tidy(() => model.forward([tokens], { logits: 'last' }).dataSync().slice());
    targets.forEach((target, k) => {
      expect(found.logits[k]).toBeCloseTo(logits[target], 4);
    });
    model.config.blocks.forEach((block, index) => {
      const parts = found.components.flatMap(({ block: of, part }) => (of === index && part !== 'bias' ? [part] : []));
      const { scans } = blocks[index];
      const mixers = scans.size > 0 ? [isHybrid(block) ? 'mamba' : 'mixer'] : [];
      const expected = [
        ...(isHybrid(block) && block.attention ? ['attention'] : []),
        ...mixers,
        ...(isHybrid(block) && block.mlp ? ['mlp'] : []),
      ];
      expect(parts, block.kind).toEqual(expected);
    });
  });

  it('has the gradient of its loss', () => {
    const ids = tf.tensor2d([tokens], undefined, 'int32');
    const { loss, gradients } = lossAndGradients(model, ids);
    const [step, moves] = [1e-4, new Map<string, tf.Tensor>()];
    let slope = 0;
    for (const [name, gradient] of gradients) {
      // Along the gradient of each parameter, so that the loss changes by more than rounding.
      const parameter = model.parameters.get(name) as tf.Tensor;
      const move = tf.tidy(() => gradient.mul(tf.norm(parameter).mul(step).div(tf.norm(gradient).add(1e-12))));
      slope += tf.tidy(() => tf.sum(move.mul(gradient)).dataSync()[0]);
      moves.set(name, move);
    }
    const lossAfter = (sign: number) => {
      for (const [name, move] of moves) {
        const parameter = model.parameters.get(name) as tf.Variable;
        parameter.assign(tf.tidy(() => parameter.add(move.mul(sign))));
      }
      return tf.tidy(() => nextTokenLoss(model, ids).dataSync()[0]);
    };
    const [above, below] = [lossAfter(1), lossAfter(-2)];
    lossAfter(1);
    expect(Math.abs((above - below) / 2 - slope)).toBeLessThan(0.02 * slope);
    tf.dispose([ids, loss, ...gradients.values(), ...moves.values()]);
  });

  it('has shares that are shares, and every order of its sources', () => {
    const pass = baselineOf(model, tokens, i);
    const parallel = blocks.some(({ kind }) => mixerBranchesOf(kind).includes('attention'));
    const orders = ORDERS.filter(
      (order): order is Computed => order !== 'random' && !(parallel && order === 'rollout_plain'),
    );
    const scores = drain(scoresOf(model, pass, { target: 3 }, orders));
    for (const order of orders) {
      const values = scores.get(order) as Float64Array;
      expect(values.every(Number.isFinite), order).toBe(true);
      expect(
        values.some((value) => value !== 0),
        order,
      ).toBe(true);
    }
    if (parallel)
      expect(() => drain(scoresOf(model, pass, { target: 3 }, ['rollout_plain']))).toThrow(/no common scale/);
    for (const block of blocks) {
      const shares = drain(shareSteps(block, operatorOf(model, block), pass.streams[block.index], 'norm'));
      for (let row = 0; row < L; row++)
        expect(shares.subarray(row * L, row * L + row + 1).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
    }
  });
});
