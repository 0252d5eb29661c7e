import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import { BLOCK_KINDS } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import { modelCases } from '@/testing/references';
import { type Attribution, directLogitAttribution } from '.';
import { bundledCase, loadModel } from './testing/fixtures';
import { randomCases, randomModel } from './testing/randomModel';

beforeAll(async () => {
  await openDevice();
});

const cases = modelCases();

/** Contributions add up to the logits, those of a block to what it adds as a whole; both in float32 of the model. */
function expectSums(model: Model, tokens: number[], found: Attribution) {
  const { targets, positions, components, contributions, blocks, logits } = found;
  const P = positions.length;
  const expected = model.forward([tokens]);
  const values = expected.dataSync() as Float32Array;
  const { V } = model.config;
  const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  targets.forEach((target, t) => {
    positions.forEach((position, p) => {
      const at = (c: number) => contributions[(t * components.length + c) * P + p];
      const total = components.reduce((sum, _, c) => sum + at(c), 0);
      const logit = values[position * V + target];
      expect(Math.abs(total - logit) / size, `sum for token ${target} at ${position}`).toBeLessThan(2e-5);
      expect(Math.abs(logits[t * P + p] - logit) / size).toBeLessThan(2e-5);
      model.config.blocks.forEach((_, block) => {
        const parts = components.reduce((sum, component, c) => sum + (component.block === block ? at(c) : 0), 0);
        const whole = blocks[(t * model.config.blocks.length + block) * P + p];
        expect(Math.abs(parts - whole) / size, `block ${block}`).toBeLessThan(2e-5);
      });
    });
  });
  expected.dispose();
}

describe('the contributions to a logit add up to it', () => {
  it.each(cases)('in $name', async ({ folder: path }) => {
    const model = await loadModel(path);
    const tokens: number[] = JSON.parse(readFileSync(join(path, 'case.json'), 'utf8')).tokens[0];
    const before = tf.memory().numTensors;
    const positions = [...new Set([0, Math.floor(tokens.length / 2), tokens.length - 1])];
    const found = directLogitAttribution(model, tokens, { targets: [3, 7], positions });
    expect(tf.memory().numTensors).toBe(before);
    expectSums(model, tokens, found);
    expect(found.error).toBeLessThan(2e-5);
    model.dispose();
  });

  it.each(BLOCK_KINDS)('in random models of %s', (kind) => {
    fc.assert(
      fc.property(randomCases(6, [kind]), ({ tokens, ...settings }) => {
        const model = randomModel(settings);
        const found = directLogitAttribution(model, [...tokens], { targets: [1, 20], positions: [tokens.length - 1] });
        expectSums(model, [...tokens], found);
        model.dispose();
      }),
      { numRuns: 4, seed: 11 },
    );
  });
});

it('gives the branches the signs and factors of the difference', async () => {
  const model = await loadModel(bundledCase('hf-diffmamba2-all'));
  const tokens = [1, 2, 3, 4];
  const request = { targets: [5] };
  const find = (found: Attribution, part: string) =>
    found.contributions[found.components.findIndex((component) => component.block === 0 && component.part === part)];
  const plain = directLogitAttribution(model, tokens, request);
  expect(find(plain, 'minus_lambda_branch_2')).not.toBe(0);
  // A second branch whose output is nothing contributes nothing.
  const weight = model.parameters.get('backbone.layers.0.mixer_2.out_proj.weight');
  weight?.assign(tf.zerosLike(weight));
  const silenced = directLogitAttribution(model, tokens, request);
  expect(Math.abs(find(silenced, 'minus_lambda_branch_2'))).toBe(0);
  expect(Math.abs(find(silenced, 'branch_1'))).toBeGreaterThan(0);
  model.dispose();
});

it('refuses what is not there', async () => {
  const model = await loadModel(bundledCase('hf-diffmamba2-all'));
  const run = (request: Parameters<typeof directLogitAttribution>[2]) => () =>
    directLogitAttribution(model, [1, 2], request);
  expect(run({ targets: [] })).toThrow(/no target/);
  expect(run({ targets: [1e6] })).toThrow(/outside the vocabulary/);
  expect(run({ targets: [1], positions: [2] })).toThrow(InputError);
  model.dispose();
});
