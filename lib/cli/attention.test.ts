import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { caseOf, modelCases } from '@/testing/references';
import { outcomeOf } from './testing';

const CASES = join(process.cwd(), 'lib/models/testing/cases');
const folder = mkdtempSync(join(tmpdir(), 'statescope-attention-'));
afterAll(() => rmSync(folder, { recursive: true }));

function tokensFile(rows: number[][]): string {
  const file = join(folder, 'tokens.json');
  writeFileSync(file, JSON.stringify(rows));
  return file;
}

async function attention(model: string, rows: number[][], ...more: string[]) {
  const out = join(folder, 'maps.safetensors');
  const args = ['attention', '--model', model, '--tokens', tokensFile(rows), '--out', out, '--json', ...more];
  const { code, out: listed, err } = await outcomeOf(...args);
  expect(code, err).toBe(0);
  const report: { key: string; shape: number[]; reconstruction_error: number; convention: string; ms: number }[] =
    JSON.parse(listed);
  return { report, tensors: await readSafetensors(out), err };
}

describe('attention in every form', () => {
  it.each(modelCases('attention.safetensors'))(
    'equals every map of the reference for $name',
    async ({ folder: model }) => {
      const { tokens, attention: about } = caseOf(model);
      const channels = new Set(Object.keys(about.keys).flatMap((key) => /channel\.(\d+)/.exec(key)?.[1] ?? []));
      const reduce = ['mean', 'mean_abs', 'head:all', ...[...channels].map((e) => `channel:${e}`)].join();
      const { report, tensors } = await attention(
        model,
        tokens,
        ...['--form', 's6,block,logit,norm', '--reduce', reduce, '--target', about.logit_tokens.join()],
      );
      for (const [key, { data, shape }] of await readSafetensors(join(model, 'attention.safetensors'))) {
        const got = tensors.get(key);
        expect(got?.shape, key).toEqual(shape);
        const [values, expected] = [got?.data as Float32Array, data as Float32Array];
        const top = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const worst = expected.reduce((most, value, k) => Math.max(most, Math.abs(values[k] - value)), 0);
        expect(worst, key).toBeLessThanOrEqual(1e-4 * top);
      }
      for (const { key, reconstruction_error } of report) expect(reconstruction_error, key).toBeLessThan(1e-4);
    },
  );

  it('has softmax weights of attention, contributions of both mixers of a block, and their sum', async () => {
    const model = join(process.cwd(), 'lib/models/testing/hybrids/falcon-h1');
    const { report, tensors } = await attention(
      model,
      [[1, 2, 3, 4, 5]],
      ...['--layers', '1', '--form', 's6,softmax,norm,logit', '--reduce', 'mean,head:3', '--target', '5'],
    );
    expect([...tensors.keys()].sort()).toEqual(
      [
        ...['attention.softmax.mean', 'attention.softmax.head.3', 'mamba.s6.mean', 'mamba.s6.head.3'],
        ...['norm', 'attention.norm', 'mamba.norm'],
        ...['', 'attention.', 'mamba.'].flatMap((branch) => [`${branch}logit.5`, `${branch}logit_rest.5`]),
      ]
        .map((key) => `blocks.1.${key}`)
        .sort(),
    );
    for (const { key, reconstruction_error } of report) expect(reconstruction_error, key).toBeLessThan(1e-4);
    const of = (name: string) => tensors.get(`blocks.1.${name}logit.5`)?.data as Float32Array;
    of('').forEach((value, k) => {
      expect(value).toBeCloseTo(of('attention.')[k] + of('mamba.')[k], 4);
    });
  });

  it('says of every map what it is, what it cost and how exact it is', async () => {
    const { report, tensors, err } = await attention(
      join(CASES, 'hf-diffmamba2-all'),
      [[1, 2, 3, 4]],
      ...['--layers', '1', '--form', 'block,logit,norm', '--reduce', 'mean,channel:3', '--target', '5'],
    );
    expect(report.map(({ key }) => key)).toEqual([...tensors.keys()]);
    expect([...tensors.keys()].sort()).toEqual(
      [
        ...['mixer_1', 'mixer_2'].flatMap((mixer) =>
          ['block.mean', 'block.channel.3', 'block.bias.3', 'logit.5', 'logit_rest.5', 'norm'].map(
            (at) => `${mixer}.${at}`,
          ),
        ),
        ...['diff.mean', 'diff.norm', 'logit.5', 'logit_rest.5'],
      ]
        .map((key) => `blocks.1.${key}`)
        .sort(),
    );
    for (const { convention, ms, reconstruction_error } of report) {
      expect(convention).not.toBe('');
      expect(ms).toBeGreaterThan(0);
      expect(reconstruction_error).toBeLessThan(1e-4);
    }
    expect(err).toMatch(/about \d+ MB/);
  });

  it('adds up: branch 1 minus λ times branch 2 is the whole contribution', async () => {
    const { tensors } = await attention(
      join(CASES, 'hf-diffmamba2-all'),
      [[4, 3, 2, 1, 7, 9]],
      ...['--layers', '0', '--form', 'logit', '--target', '5', '--branch', 'mixer_1,lambda_mixer_2,diff'],
    );
    const map = (key: string) => tensors.get(`blocks.0.${key}logit.5`)?.data as Float32Array;
    map('').forEach((value, k) => {
      expect(value).toBeCloseTo(map('mixer_1.')[k] - map('lambda_mixer_2.')[k], 6);
    });
  });

  it('leaves out components under names of their own', async () => {
    const { tensors, report } = await attention(
      join(CASES, 'hf-mamba1-bias'),
      [[1, 2, 3]],
      ...['--layers', '0', '--form', 'block', '--reduce', 'mean,channel:1', '--without', 'conv,gate'],
    );
    const names = ['mean', 'channel.1', 'bias.1'].map((name) => `blocks.0.block.without_conv_gate.${name}`);
    expect([...tensors.keys()]).toEqual(names);
    expect(report[0].convention).toContain('without conv, gate');
  });

  it.each([
    [['--form', 'logit'], /--target/],
    [['--form', 'logit', '--target', '999999'], /outside the vocabulary/],
    [['--form', 'blocks'], /--form takes s6, softmax, block/],
    [['--form', 'block', '--without', 'skip'], /--without takes/],
    [['--branch', 'mixer_1,attention'], /None of the chosen layers has a branch mixer_1 or attention: leave --branch/],
    [['--reduce', 'head:all', '--memory', '1'], /MB and the limit is 1 MB/],
  ])('%j is refused in a sentence', async (more, message) => {
    const rows = [Array.from({ length: 600 }, (_, t) => t % 50)];
    const args = ['--model', join(CASES, 'hf-mamba1-bias'), '--tokens', tokensFile(rows)];
    const { code, err } = await outcomeOf('attention', ...args, ...more);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
