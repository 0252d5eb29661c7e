import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { outcomeOf } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'statescope-channels-'));
const [out, tokens] = [join(folder, 'out.safetensors'), join(folder, 'tokens.json')];
writeFileSync(tokens, JSON.stringify([[1, 2, 3, 4, 5, 6]]));
afterAll(() => rmSync(folder, { recursive: true }));

const input = (name: string) => ['--model', join(process.cwd(), 'lib/models/testing/cases', name), '--tokens', tokens];
const json = async (...args: string[]) => {
  const { code, out: text, err } = await outcomeOf(...args, '--out', out, '--json');
  expect(code, err).toBe(0);
  return JSON.parse(text);
};

describe('channels', () => {
  it('ranks the heads of each branch and writes all of them', async () => {
    const rows = await json(
      'channels',
      ...input('hf-diffmamba2-all'),
      '--layers',
      '1',
      '--sort',
      'entropy',
      '--top',
      '2',
    );
    expect(rows.map(({ branch }: { branch: string }) => branch)).toEqual(['mixer_1', 'mixer_1', 'mixer_2', 'mixer_2']);
    expect(rows[0].entropy).toBeGreaterThanOrEqual(rows[1].entropy);
    expect(rows[0]).toMatchObject({ layer: 1, unit: 'head' });
    const tensors = await readSafetensors(out);
    const entropy = tensors.get('blocks.1.mixer_1.heads.entropy')?.data as Float32Array;
    expect(Math.max(...entropy)).toBeCloseTo(rows[0].entropy, 6);
    expect(tensors.has('blocks.1.mixer_2.heads.half_life')).toBe(true);
  });
});

describe('rollout', () => {
  it('writes each method under its name', async () => {
    const names = ['norm', 'alti', 'plain', 'normalised', 'attribution', 'attribution_code'];
    const methods = ['--method', names.join(), '--target', '5', '--reduce', 'mean_abs'];
    const rows = await json('rollout', ...input('hf-mamba1-bias'), ...methods);
    expect(rows.map(({ key }: { key: string }) => key)).toEqual(names.map((name) => `rollout.${name}`));
    const tensors = await readSafetensors(out);
    for (const method of ['norm', 'alti', 'normalised', 'attribution_code']) {
      const last = tensors.get(`rollout.${method}`)?.data.slice(30) as Float32Array;
      expect(last.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    }
  });

  it('is of shares where nothing else is asked for, and says which', async () => {
    const [{ key, convention }] = await json('rollout', ...input('hf-diffmamba2-all'));
    expect(key).toBe('rollout.norm');
    expect(convention).toMatch(/^product of the shares .* over layers from 0/);
    const last = (await readSafetensors(out)).get('rollout.norm')?.data.slice(30) as Float32Array;
    expect(Math.min(...last)).toBeGreaterThanOrEqual(0);
    expect(last.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
  });

  it.each([
    [['--method', 'attribution'], /--target/],
    [['--method', 'attribution_code'], /--target/],
    [['--method', 'attribution', '--target', '99999'], /outside the vocabulary/],
    [['--reduce', 'max'], /--reduce takes mean or mean_abs/],
    [['--start-layer', '7'], /no layer 7/],
    [['--position', '6'], /--position takes a position from -6 to 5/],
  ])('%j is refused in a sentence', async (more, message) => {
    const { code, err } = await outcomeOf('rollout', ...input('hf-mamba1-bias'), ...more);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  it('does not divide the rows of a difference by their sums', async () => {
    const { code, err } = await outcomeOf('rollout', ...input('hf-diffmamba2-all'), '--method', 'plain,normalised');
    expect(code).toBe(2);
    expect(err).toMatch(/Layer 0 is a difference of two maps/);
  });
});
