import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isAvailable } from '@/kernels/native/addon';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { referenceFolder } from '@/testing/references';
import { outcomeOf } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'statescope-lens-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const devices = isAvailable ? ['native', 'cpu'] : ['cpu'];
const cases = ['mamba', 'mamba2'].flatMap((name) =>
  devices.flatMap((device) => ['logit', 'tuned'].map((lens) => ({ name, device, lens }))),
);

describe('the lens command gives every reference value', () => {
  it.each(cases)('$lens lens of $name on $device', async ({ name, device, lens }) => {
    const fixture = referenceFolder('lens', name) as string;
    const { tokens, targets, candidates, ...expected } = JSON.parse(
      readFileSync(join(fixture, 'expected.json'), 'utf8'),
    );
    const file = (label: string, value: unknown) => {
      const path = join(folder, `${name}-${label}.json`);
      writeFileSync(path, JSON.stringify(value));
      return path;
    };
    const out = join(folder, `${name}-${device}-${lens}.safetensors`);
    const {
      code,
      err,
      out: printed,
    } = await outcomeOf(
      ...['lens', '--model', fixture, '--device', device, '--tokens', file('tokens', tokens)],
      ...['--targets', targets.join(','), '--candidates', file('candidates', candidates), '--position', 'all'],
      ...['--out', out, '--json', ...(lens === 'tuned' ? ['--tuned', join(fixture, 'tuned')] : [])],
    );
    expect(err).toContain(device);
    expect(code).toBe(0);
    expect(JSON.parse(printed).entries).toEqual(lens === 'tuned' ? expected.tuned_entries : expected.entries);

    const got = await readSafetensors(out);
    const statistics = expected[`${lens}_lens`] as Record<string, number[][][]>;
    // The reference calls the margin log-odds, which is written beside it for one version.
    const named = [...Object.keys(statistics), 'margin', 'margin_std', 'target_log_odds'];
    const keys = named.map((key) => `${lens}_lens.${key}`);
    expect(got.get(`${lens}_lens.margin`)?.data).toEqual(got.get(`${lens}_lens.log_odds`)?.data);
    expect([...got.keys()].sort()).toEqual(keys.sort());
    for (const [key, values] of Object.entries(statistics)) {
      const data = got.get(`${lens}_lens.${key}`)?.data as Float32Array;
      const worst = values.flat(2).reduce((most, value, k) => Math.max(most, Math.abs(data[k] - value)), 0);
      // Ranks of logits that are nearer than rounding may change places.
      expect(worst, key).toBeLessThanOrEqual(key === 'target_rank' ? 1 : 1e-4);
    }
  });
});

it('looks for a tuned lens beside the model where no folder is named', async () => {
  const model = join(process.cwd(), 'lib/models/testing/cases/hf-mamba1-bias');
  const { code, err } = await outcomeOf('lens', '--model', model, '--ids', '1,2,3', '--targets', '4', '--tuned');
  expect(code).toBe(2);
  expect(err).toContain(join(model, 'tuned-lens'));
});

it('fits a tuned lens that the lens command reads', async () => {
  const model = join(process.cwd(), 'lib/models/testing/cases/hf-mamba1-bias');
  const data = join(folder, 'rows.json');
  writeFileSync(data, '[[1,2,3],[4,5,6]]');
  const out = join(folder, 'tuned');
  const fit = ['tuned-lens', '--model', model, '--data', data, '--out', out, '--tokens-per-step', '6', '--json'];
  const fitted = await outcomeOf(...fit, '--steps', '2');
  expect(fitted.code).toBe(0);
  expect(JSON.parse(fitted.out)).toMatchObject({ step: 2, finished: true });
  expect((await outcomeOf(...fit, '--steps', '2')).err).toContain('--resume');
  const read = await outcomeOf(
    'lens',
    '--model',
    model,
    '--tokens',
    data,
    '--targets',
    '7,8',
    '--tuned',
    out,
    '--json',
  );
  expect(JSON.parse(read.out)).toMatchObject({ lens: 'tuned_lens', held_out: null });
  expect(read.err).toContain('Held-out KL of this tuned lens: not recorded.');

  writeFileSync(data, JSON.stringify(Array.from({ length: 10 }, (_, k) => [k + 1, 2, 3])));
  const whole = [...fit.map((word) => (word === out ? join(folder, 'whole') : word)), '--steps', '2'];
  const { held_out } = JSON.parse((await outcomeOf(...whole)).out);
  expect(held_out).toMatchObject({ tokens: 3, layers: expect.any(Array) });
  const lens = [
    'lens',
    '--model',
    model,
    '--ids',
    '1,2,3',
    '--targets',
    '7',
    '--tuned',
    join(folder, 'whole'),
    '--json',
  ];
  const said = await outcomeOf(...lens);
  expect(JSON.parse(said.out).held_out).toEqual(held_out);
  expect(said.err).toMatch(/Layer 0 of this tuned lens is not fitted: (not converged|no better)/);
});

it('takes logits apart', async () => {
  const model = join(process.cwd(), 'lib/models/testing/cases/hf-diffmamba2-all');
  const input = join(folder, 'attribute.json');
  const out = join(folder, 'attribution.safetensors');
  writeFileSync(input, '[[1,2,3],[4,5,6]]');
  const options = ['--targets', '7,8', '--position', 'all', '--batch-index', '1'];
  const args = ['attribute', '--model', model, '--tokens', input, ...options];
  const printed = JSON.parse((await outcomeOf(...args, '--out', out, '--json')).out);
  const got = await readSafetensors(out);
  expect(got.get('attribution.logits')?.shape).toEqual([2, 3]);
  expect(got.get('attribution.components')?.shape).toEqual([2, printed.components.length, 3]);
  expect(printed.components.slice(0, 3)).toEqual(['embedding', 'layer 0 branch_1', 'layer 0 minus_lambda_branch_2']);
  expect(printed.reconstruction_error).toBeLessThan(1e-5);
  const sum = printed.components.reduce(
    (total: number, _: string, c: number) => total + printed.contributions[3 * c],
    0,
  );
  expect(sum).toBeCloseTo(printed.logits[0], 4);
  expect((await outcomeOf(...args)).out).toContain('target 8, position 2');
  expect((await outcomeOf(...args, '--batch-index', '2')).err).toContain('no row 2');
});
