import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import type { Branch } from '@/lib/vocabulary';
import { needs } from '@/testing/needs';
import { FULL_SET, referenceFolder } from '@/testing/references';
import { attentionOf, branchesOf, captureNames, differenceOf, parseReduction, scanAttention } from '.';
import { blocksOf, bundledCase, loadModel } from './testing/fixtures';

const tokensOf = (folder: string): number[][] => JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')).tokens;

beforeAll(async () => {
  await openDevice();
});

/** `blocks.0.mixer_1.s6.channel.5`, `blocks.0.s6.mean`, `blocks.2.diff.s6_mean` → what to ask for. */
function parseKey(key: string): { block: number; branch: Branch; reduce: string } | null {
  if (/\.diff\.s6_mean$/.test(key)) return { block: Number(key.split('.')[1]), branch: 'diff', reduce: 'mean' };
  const match = /^blocks\.(\d+)\.(?:(mixer_[12])\.)?s6\.(mean_abs|mean|(channel|head)\.(\d+))$/.exec(key);
  if (!match) return null;
  const [, block, branch = 'single', whole, how, index] = match;
  return { block: Number(block), branch: branch as Branch, reduce: how ? `${how}:${index}` : whole };
}

const CASES = [
  'hf-mamba1',
  'hf-mamba2-groups',
  'hf-diffmamba2-alternate',
  'statescope-diff-mamba1',
  'statescope-diff-mamba2e',
  'statescope-diff-s6',
  'statescope-diff-s6-mamba2',
  'long',
];

describe.each(CASES)('S6 attention of %s', (name) => {
  const folder = referenceFolder('models', name);
  it('equals every s6 map of the reference', needs(folder, FULL_SET), async () => {
    const model = await loadModel(folder as string);
    const blocks = blocksOf(model, tokensOf(folder as string));
    let compared = 0;
    for (const [key, { data }] of await readSafetensors(join(folder as string, 'attention.safetensors'))) {
      const view = parseKey(key);
      if (!view) continue;
      const { map, reconstructionError } = attentionOf(blocks[view.block], view);
      const expected = data as Float32Array;
      const top = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const worst = expected.reduce((most, value, k) => Math.max(most, Math.abs(map[k] - value)), 0);
      expect(worst / top, key).toBeLessThan(1e-4);
      expect(reconstructionError, key).toBeLessThan(1e-4);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(0);
    model.dispose();
  });
});

describe('reconstruction error', () => {
  const small = [
    'hf-mamba1-bias',
    'hf-mamba2-groups',
    'hf-diffmamba2-all',
    'statescope-diff-mamba1-sigmoid',
    'len1-mamba1',
  ];
  it.each(small)('is small for every view of %s', async (name) => {
    const model = await loadModel(bundledCase(name));
    for (const block of blocksOf(model, tokensOf(bundledCase(name)), 0))
      for (const branch of branchesOf(block.kind)) {
        const parts = [...block.scans.values()][0].family === 'mamba1' ? ['channel:3'] : ['head:1', 'channel:17'];
        for (const reduce of ['mean', 'mean_abs', ...parts])
          expect(attentionOf(block, { branch, reduce }).reconstructionError, `${branch} ${reduce}`).toBeLessThan(1e-4);
      }
    model.dispose();
  });

  it.each(['mean', 'mean_abs', 'head:1'])('shows that the map %s does not belong to the pass', async (reduce) => {
    const model = await loadModel(bundledCase('hf-mamba2-groups'));
    const [block] = blocksOf(model, tokensOf(bundledCase('hf-mamba2-groups')));
    const inputs = block.scans.get('single');
    if (inputs?.family !== 'mamba2') throw new Error('expected a Mamba-2 scan');
    const { map } = scanAttention(inputs, parseReduction(reduce));
    const { reconstructionErrorOf } = await import('./reconstruction');
    const bent = map.map((value, k) => (k % (inputs.L + 1) === 0 ? value * 1.5 : value));
    expect(reconstructionErrorOf(inputs, parseReduction(reduce), bent)).toBeGreaterThan(1e-3);
    model.dispose();
  });
});

describe('differential blocks', () => {
  const folder = bundledCase('hf-diffmamba2-all');
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folder);
  });
  afterAll(() => model.dispose());

  it.each(['mean_abs', 'max'])('say of %s that sizes are subtracted, which leaves a sign', (reduce) => {
    const [block] = blocksOf(model, tokensOf(folder));
    const { map, convention } = attentionOf(block, { branch: 'diff', reduce });
    expect(map.some((value) => value < 0)).toBe(true);
    expect(convention).toMatch(/^size of branch 1 − λ times that of branch 2.*signed/);
    expect(attentionOf(block, { branch: 'diff', reduce: 'mean' }).convention).toMatch(/^A₁ − λA₂/);
  });

  it('subtract λ times the second branch', () => {
    const [block] = blocksOf(model, tokensOf(folder));
    const map = (branch: Branch) => attentionOf(block, { branch, reduce: 'mean' });
    const [first, second, scaled, difference] = branchesOf(block.kind).map(map);
    const lambda = block.lambda as number;
    const k = 5 * first.L + 2;
    expect(lambda).toBeGreaterThan(0);
    expect(scaled.map[k]).toBeCloseTo(lambda * second.map[k], 6);
    expect(difference.map[k]).toBeCloseTo(first.map[k] - lambda * second.map[k], 6);
    expect(difference.convention).toContain('approximation');
  });

  it('refuse a difference where λ is a vector', () => {
    const [block] = blocksOf(model, tokensOf(folder));
    const first = attentionOf(block, { branch: 'mixer_1', reduce: 'mean' });
    expect(() => differenceOf(first, first, { ...block, lambda: Float32Array.of(0.1, 0.2) })).toThrow(InputError);
  });

  it('take the batch row that was asked for', () => {
    const tokens = tokensOf(folder);
    const alone = attentionOf(blocksOf(model, [tokens[1]])[0], { branch: 'diff', reduce: 'mean' });
    const together = attentionOf(blocksOf(model, tokens, 1)[0], { branch: 'diff', reduce: 'mean' });
    const top = Math.max(...alone.map.map(Math.abs));
    alone.map.forEach((value, k) => {
      expect(Math.abs(together.map[k] - value)).toBeLessThan(1e-5 * top);
    });
  });
});

describe('what cannot be shown', () => {
  const folder = bundledCase('hf-mamba1-bias');
  it.each([
    ['single', 'head:0', /no heads/],
    ['single', 'channel:99999', /channels go from 0/],
    ['diff', 'mean', /no branch diff/],
    ['single', 'median', /no reduction/],
  ] as const)('%s %s is refused in a sentence', async (branch, reduce, message) => {
    const model = await loadModel(folder);
    const [block] = blocksOf(model, tokensOf(folder));
    expect(() => attentionOf(block, { branch, reduce })).toThrow(message);
    expect(() => attentionOf(block, { branch, reduce })).toThrow(InputError);
    model.dispose();
  });

  it('leaves no tensor behind', async () => {
    const model = await loadModel(folder);
    const before = tf.memory().numTensors;
    for (const reduce of ['mean', 'mean_abs', 'channel:1'])
      attentionOf(blocksOf(model, tokensOf(folder))[0], { branch: 'single', reduce });
    expect(tf.memory().numTensors).toBe(before);
    expect(captureNames(model.config, 0)).toContain('blocks.0.hook_ssm_input');
    model.dispose();
  });
});
