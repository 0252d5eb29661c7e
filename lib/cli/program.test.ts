import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint, saveCheckpoint } from '@/lib/checkpoint';
import { readSafetensors, type SafetensorsTensor } from '@/lib/checkpoint/safetensors';
import { runCli } from './program';
import { outcomeOf } from './testing';

const CASES = join(process.cwd(), 'lib/models/testing/cases');
const folder = mkdtempSync(join(tmpdir(), 'statescope-cli-'));
const file = (name: string) => join(folder, name);
const model = (name: string) => ['--model', join(CASES, name)];
const caseOf = (name: string) => JSON.parse(readFileSync(join(CASES, name, 'case.json'), 'utf8'));

/** Writes rows of ids and gives the options that read them. */
function tokens(rows: unknown, name = 'tokens.json'): string[] {
  writeFileSync(file(name), JSON.stringify(rows));
  return ['--tokens', file(name)];
}

function expectClose(got: SafetensorsTensor | undefined, expected: SafetensorsTensor, tolerance: number) {
  expect(got?.shape, expected.name).toEqual(expected.shape);
  const [a, b] = [got?.data as Float32Array, expected.data as Float32Array];
  const top = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = b.reduce((most, value, k) => Math.max(most, Math.abs(a[k] - value)), 0);
  expect(worst, expected.name).toBeLessThanOrEqual(tolerance * (top || 1));
}

beforeAll(() => {
  process.env.STATESCOPE_MODELS = CASES;
});

afterAll(() => {
  delete process.env.STATESCOPE_MODELS;
  rmSync(folder, { recursive: true });
});

describe('run', () => {
  const name = 'hf-diffmamba2-all';

  it('writes every point of "all" as the reference has it, and says where it comes from', async () => {
    const out = file('all.safetensors');
    const args = ['run', ...model(name), ...tokens(caseOf(name).tokens), '--names', 'all', '--out', out];
    expect(await outcomeOf(...args)).toMatchObject({ code: 0 });
    const got = await readSafetensors(out);
    for (const [key, expected] of await readSafetensors(join(CASES, name, 'expected.safetensors')))
      if (!/hook_(A_bar|B_bar|h)$/.test(key)) expectClose(got.get(key), expected, 1e-4);
    expect([...got.keys()].some((key) => /hook_(A_bar|B_bar|h)($|\.)/.test(key))).toBe(false);
    const bytes = readFileSync(out);
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
    expect(header.__metadata__).toMatchObject({ model: name, command: ['statescope', ...args].join(' ') });
    expect(header.__metadata__.device).toMatch(/native|wasm|cpu/);
    expect(header.__metadata__.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('scores an answer whole, token by token, alone or beside the tensors', async () => {
    const demo = [
      'run',
      '--model',
      'models/demo-mamba2',
      '--prompt',
      'Mary went to the garden. Where is Mary? Answer:',
    ];
    const { code, out, err } = await outcomeOf(
      ...demo,
      '--answer',
      'garden kitchen',
      '--names',
      'hook_embed',
      '--json',
    );
    expect(code, err).toBe(0);
    const { answers, tensors } = JSON.parse(out);
    expect(tensors).toMatchObject([{ name: 'hook_embed' }]);
    const [{ tokens: own, logprob }] = answers;
    expect(own.map(({ text }: { text: string }) => text)).toEqual(['garden', 'kitchen']);
    expect(logprob).toBeCloseTo(own[0].logprob + own[1].logprob, 10);
    const alone = await outcomeOf(...demo, '--answer', 'garden', '--json');
    expect(JSON.parse(alone.out).answers[0].logprob).toBeCloseTo(own[0].logprob, 4);
    expect((await outcomeOf(...demo)).err).toContain('Name hook points with --names, or an answer with --answer.');
  });

  it('takes wildcards and writes NPZ by extension', async () => {
    const out = file('delta.npz');
    const input = tokens([[1, 2, 3]]);
    const { code, out: listed } = await outcomeOf(
      ...['run', ...model(name), ...input, '--names', 'blocks.0.*.hook_delta,hook_norm', '--out', out, '--json'],
    );
    expect(code).toBe(0);
    const names = ['blocks.0.mixer_1.hook_delta', 'blocks.0.mixer_2.hook_delta', 'hook_norm'];
    expect(JSON.parse(listed).map((row: { name: string }) => row.name)).toEqual(names);
    expect(Object.keys(unzipSync(readFileSync(out)))).toEqual(names.map((each) => `${each}.npy`));
  });
});

describe('--weights', () => {
  const name = 'hf-diffmamba2-all';

  /** To the nearest number of eight bits of mantissa, ties to even: by the bits, not by a kernel. */
  const rounded = (values: Float32Array) => {
    const bits = new Uint32Array(values.slice().buffer);
    for (const [k, word] of bits.entries()) bits[k] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
    return new Float32Array(bits.buffer);
  };

  it('computes with matrices rounded to bf16, and says so in what it writes and prints', async () => {
    const { config, tensors } = await loadCheckpoint(join(CASES, name));
    const matrices = /(_proj|embeddings|lm_head)\.weight$/;
    const byHand = [...tensors].map(([key, tensor]) => {
      return [key, matrices.test(key) ? { ...tensor, data: rounded(tensor.data) } : tensor] as const;
    });
    await saveCheckpoint(file('by-hand'), config, new Map(byHand));
    const run = async (from: string, out: string, ...more: string[]) => {
      const asked = ['--model', from, ...tokens([[1, 2, 3, 4, 5]]), '--names', 'hook_logits', '--out', file(out)];
      const done = await outcomeOf('run', ...asked, '--json', ...more);
      expect(done, done.err).toMatchObject({ code: 0 });
      const bytes = readFileSync(file(out));
      const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
      const logits = (await readSafetensors(file(out))).get('hook_logits') as SafetensorsTensor;
      return { logits, told: [header.__metadata__.weights, JSON.parse(done.out)[0].weights] };
    };
    const asIs = await run(join(CASES, name), 'as-is.safetensors');
    const bf16 = await run(join(CASES, name), 'bf16.safetensors', '--weights', 'bf16');
    const hand = await run(file('by-hand'), 'hand.safetensors', '--weights', 'float32');
    expect([asIs.told, bf16.told, hand.told]).toEqual(['float32', 'bf16', 'float32'].map((each) => [each, each]));
    expectClose(bf16.logits, hand.logits, 1e-5);
    expect(() => expectClose(bf16.logits, asIs.logits, 1e-4)).toThrow();
    process.env.STATESCOPE_WEIGHTS = 'bf16';
    try {
      const byDefault = await run(join(CASES, name), 'default.safetensors');
      expect(byDefault.told).toEqual(['bf16', 'bf16']);
      expectClose(byDefault.logits, bf16.logits, 0);
      process.env.STATESCOPE_WEIGHTS = 'int4';
      const refused = await outcomeOf('run', ...model(name), '--ids', '1', '--names', 'hook_logits');
      expect(refused.err).toContain('STATESCOPE_WEIGHTS must be file, float32 or bf16, not "int4".');
      expect(refused.code).toBe(2);
    } finally {
      delete process.env.STATESCOPE_WEIGHTS;
    }
  });
});

describe('attention', () => {
  it('names maps by block, branch and reduction, and leaves out what does not exist', async () => {
    const out = file('maps.safetensors');
    const { code, out: listed } = await outcomeOf(
      ...['attention', ...model('hf-diffmamba2-all'), ...tokens([[1, 2, 3, 4, 5]])],
      ...['--layers', '0,2', '--reduce', 'mean,head:all,head:99,channel:5', '--out', out, '--json'],
    );
    expect(code).toBe(0);
    const report: { key: string; shape: number[]; reconstruction_error: number; ms: number }[] = JSON.parse(listed);
    const keys = report.map(({ key }) => key);
    expect(new Set(keys)).toEqual(new Set((await readSafetensors(out)).keys()));
    expect(keys).toContain('blocks.0.mixer_1.s6.mean');
    expect(keys).toContain('blocks.2.mixer_2.s6.head.1');
    expect(keys).toContain('blocks.2.diff.s6_mean');
    expect(keys.filter((key) => /blocks\.1|head\.99|channel/.test(key))).toEqual([]);
    for (const { shape, reconstruction_error, ms } of report) {
      expect(shape).toEqual([5, 5]);
      expect(reconstruction_error).toBeLessThan(1e-4);
      expect(ms).toBeGreaterThan(0);
    }
  });

  it('shows the branches and the batch row that were asked for', async () => {
    const rows = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ];
    const common = ['attention', ...model('hf-diffmamba2-all'), '--layers', '1'];
    const write = async (out: string, ...more: string[]) => {
      expect((await outcomeOf(...common, ...more, '--out', file(out))).code).toBe(0);
      return readSafetensors(file(out));
    };
    const second = await write('a.safetensors', ...tokens(rows, 'a.json'), '--batch-index', '1', '--branch', 'diff');
    const alone = await write('b.safetensors', ...tokens([rows[1]], 'b.json'));
    expect([...second.keys()]).toEqual(['blocks.1.diff.s6_mean']);
    expectClose(second.get('blocks.1.diff.s6_mean'), alone.get('blocks.1.diff.s6_mean') as SafetensorsTensor, 1e-6);
  });

  it('has channels for Mamba-1', async () => {
    const { out } = await outcomeOf(
      ...['attention', ...model('hf-mamba1-bias'), ...tokens([[1, 2]]), '--reduce', 'channel:3,mean_abs', '--json'],
    );
    const keys = JSON.parse(out).map(({ key }: { key: string }) => key);
    expect(keys.slice(0, 2)).toEqual(['blocks.0.s6.channel.3', 'blocks.0.s6.mean_abs']);
  });
});

describe('grad', () => {
  it('writes the loss and one gradient per stored parameter, by the name in the file', async () => {
    const out = file('grad.safetensors');
    const name = 'official-mamba2-defaults';
    expect((await outcomeOf('grad', ...model(name), ...tokens([[1, 2, 3]]), '--out', out)).code).toBe(0);
    const got = await readSafetensors(out);
    expect(got.get('loss')?.shape).toEqual([]);
    expect(got.has('grad.backbone.embedding.weight')).toBe(true);
    expect(got.has('grad.lm_head.weight')).toBe(false);
  });
});

describe('generate', () => {
  const name = 'hf-mamba2-groups';
  const generate = async (rows: number[][], ...more: string[]) => {
    const { code, out } = await outcomeOf('generate', ...model(name), ...tokens(rows), '--json', ...more);
    expect(code).toBe(0);
    return JSON.parse(out).tokens as number[][];
  };

  it.each([[[]], [['--no-cache']]])('continues as the reference does %j', async (more) => {
    const { prompt_tokens, new_tokens } = caseOf(name).greedy;
    expect(await generate([prompt_tokens], '--max-new-tokens', '16', ...more)).toEqual([new_tokens]);
  });

  it('takes rows of different lengths', async () => {
    const rows = [[1, 2, 3], [4]];
    const together = await generate(rows, '--max-new-tokens', '3');
    expect(together).toEqual([
      ...(await generate([rows[0]], '--max-new-tokens', '3')),
      ...(await generate([rows[1]], '--max-new-tokens', '3')),
    ]);
  });

  it('goes on from a state as from the text', async () => {
    const rows = [
      [1, 2, 3, 4, 5],
      [6, 7, 8, 9, 10],
    ];
    const whole = await generate(rows, '--max-new-tokens', '4');
    const state = ['--max-new-tokens', '0', '--state-out', file('state.safetensors')];
    expect(
      await generate(
        rows.map((row) => row.slice(0, 3)),
        ...state,
      ),
    ).toEqual([[], []]);
    const rest = rows.map((row) => row.slice(3));
    expect(await generate(rest, '--max-new-tokens', '4', '--state-in', file('state.safetensors'))).toEqual(whole);
  });

  it('samples the same for the same seed', async () => {
    const sample = (seed: string) =>
      generate(
        [[1, 2]],
        ...['--max-new-tokens', '8', '--temperature', '3', '--top-k', '40', '--top-p', '0.9', '--seed', seed],
      );
    const first = await sample('1');
    expect(await sample('1')).toEqual(first);
    expect(await sample('2')).not.toEqual(first);
  });
});

describe('lens', () => {
  it('writes the statistics of every entry, those of candidates only with candidates', async () => {
    const out = file('lens.safetensors');
    const input = tokens([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const args = ['lens', ...model('hf-mamba1-bias'), ...input, '--targets', '7,8', '--out', out, '--json'];
    const plain = await outcomeOf(...args);
    expect(plain.code).toBe(0);
    const { entries, positions } = JSON.parse(plain.out);
    expect(entries).toEqual(['embedding', 'layer 0', 'layer 1', 'final']);
    expect(positions).toEqual([2]);
    const last = await readSafetensors(out);
    expect(last.get('logit_lens.target_prob')?.shape).toEqual([4, 2, 1]);
    expect(last.has('logit_lens.snr_candidates')).toBe(false);

    expect((await outcomeOf(...args, '--position', 'all', '--candidates', '7,8,9,10')).code).toBe(0);
    const all = await readSafetensors(out);
    expect(all.get('logit_lens.snr_candidates')?.shape).toEqual([4, 2, 3]);
    const margin = (tensors: typeof all) => tensors.get('logit_lens.margin')?.data as Float32Array;
    expect(margin(all)[2 * 3 + 2]).toBeCloseTo(margin(last)[2], 5);
    // The former name, for one version.
    expect(all.get('logit_lens.log_odds')?.data).toEqual(margin(all));
  });
});

describe('models', () => {
  it('lists what STATESCOPE_MODELS names', async () => {
    const { out } = await outcomeOf('models', '--json');
    const found = JSON.parse(out).find((row: { name: string }) => row.name === 'hf-mamba1-bias');
    expect(found).toMatchObject({ format: 'hf-mamba', layers: ['mamba1', 'mamba1'], tied: false });
  });
});

describe('bad usage and bad input', () => {
  const base = ['run', ...model('hf-mamba1-bias'), '--names', 'all'];
  const continued = ['generate', ...model('hf-mamba1-bias'), ...tokens([[1]], 'one.json'), '--max-new-tokens'];
  it.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['run', '--frobnicate'], /unknown option|required option/],
    [[...base], /give --tokens FILE\.json, --ids 5,9,12 or --prompt/],
    [[...base, '--ids', '1,2', '--prompt', 'x'], /only one of them/],
    [[...base, '--ids', '1,x'], /--ids takes a whole number/],
    [[...base, '--ids', '99999'], /outside the vocabulary/],
    [[...base, '--prompt', 'hello'], /no tokenizer\.json/],
    [[...base, '--tokens', file('missing.json')], /cannot be read \(ENOENT\)/],
    [[...base, ...tokens([[]], 'empty.json')], /has no tokens/],
    [[...base, ...tokens([], 'none.json')], /must hold lists of token ids/],
    [[...base, ...tokens([['a']], 'text.json')], /must hold lists of token ids/],
    [[...base, ...tokens([[1, 1e6]], 'large.json')], /outside the vocabulary/],
    [[...base, ...tokens([[1], [1, 2]], 'ragged.json')], /equally long/],
    [[...base, ...tokens([Array(100).fill(1)], 'long.json'), '--max-tokens', '50'], /limit is 50.*--max-tokens 100/],
    [['run', ...model('hf-mamba1-bias'), ...tokens([[1]], 'one.json'), '--names', 'nothing'], /No hook point/],
    [[...base, ...tokens([[1]], 'one.json'), '--out', file('x.txt')], /\.safetensors or \.npz/],
    [
      [...base, ...tokens([[1]], 'one.json'), '--out', file(`${'x'.repeat(300)}.npz`)],
      /cannot be written \(ENAMETOOLONG\)/,
    ],
    [[...base, ...tokens([[1]], 'one.json'), '--device', 'abacus'], /no device "abacus"/],
    [[...base, ...tokens([[1]], 'one.json'), '--threads', '1000000'], /1000000 threads are too many/],
    [[...base, ...tokens([[1]], 'one.json'), '--names', `${'*'.repeat(99)}x`], /No hook point/],
    [['grad', ...model('hf-mamba1-bias'), ...tokens([[1]], 'one.json')], /at least two tokens/],
    [['attention', ...model('hf-mamba1-bias'), ...tokens([[1]], 'one.json'), '--form', 'rollout'], /--form takes s6/],
    [['attention', ...model('hf-mamba1-bias'), ...tokens([[1]], 'one.json'), '--layers', '9'], /no layer 9/],
    [
      ['attention', ...model('hf-mamba1-bias'), ...tokens([[1]], 'one.json'), '--reduce', 'median'],
      /no reduction "median"/,
    ],
    [['lens', ...model('hf-mamba1-bias'), ...tokens([[1]], 'one.json'), '--targets', 'x'], /whole number/],
    [[...continued, '0'], /at least 1/],
    [[...continued, '2', '--top-p', '0.5'], /--top-p needs --temperature/],
    [[...continued, '2', '--top-p', '1.5', '--temperature', '1'], /up to 1/],
    [[...continued, '2', '--no-cache', '--state-out', file('s.safetensors')], /--no-cache keeps no state/],
    [[...continued, '2', '--state-out', file('s.npz')], /ends in \.safetensors/],
    [[...continued, '2', '--state-in', file('missing.safetensors')], /cannot be opened/],
    [['bench', '--only', 'nothing'], /No benchmark/],
  ])('%j ends with 2 and one sentence', async (args, message) => {
    const { code, out, err } = await outcomeOf(...args);
    expect(err).toMatch(message);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err.split('\n').filter((line) => line.startsWith('statescope: '))).toHaveLength(1);
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('reads a token file with a byte order mark', async () => {
    writeFileSync(file('marked.json'), '\ufeff[[1, 2]]');
    const { code } = await outcomeOf(...base, '--tokens', file('marked.json'));
    expect(code).toBe(0);
  });

  it('shows the stack with --debug only', async () => {
    const { err } = await outcomeOf(...base, '--debug');
    expect(err).toMatch(/InputError.*\n\s+at /s);
  });

  it('ends with 1 on an internal failure', async () => {
    const broken = {
      out: () => {
        throw new TypeError('broken');
      },
      err: () => {},
      interactive: false,
    };
    expect(await runCli(['models', '--json'], broken)).toBe(1);
  });

  it('prints help and version on stdout with 0', async () => {
    expect(await outcomeOf('--version')).toMatchObject({ code: 0, err: '' });
    const { code, out } = await outcomeOf('attention', '--help');
    expect(code).toBe(0);
    expect(out).toContain('--reduce');
  });
});
