import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { saveCheckpoint } from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';
import { Random } from '@/lib/random';
import { initialCheckpoint } from '@/lib/training/initialise';
import { outcomeOf } from './testing';

let root: string;
const STORY = 'Mary entered the kitchen. Where is Mary? Answer:';
const DEVICE = ['--device', 'cpu'];

/** A tiny model with random weights and a vocabulary of so many rows, and no tokenizer. */
async function wordless(rows: number): Promise<string> {
  const config = parseConfig(
    {
      model_type: 'mamba2',
      hidden_size: 8,
      num_hidden_layers: 1,
      vocab_size: rows,
      head_dim: 4,
      state_size: 4,
      n_groups: 1,
    },
    new Map(),
  );
  const folder = join(root, `rows-${rows}`);
  await saveCheckpoint(folder, config, initialCheckpoint(config, new Random(1), 'wordless').tensors);
  return folder;
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'statescope-tokenizers-'));
  vi.stubEnv('HF_HOME', join(root, 'nowhere'));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const json = ({ code, out, err }: { code: number; out: string; err: string }) => {
  expect(code, err).toBe(0);
  return JSON.parse(out);
};

describe('the tokenizer of a model', () => {
  it('is its own, and every output names its tokens', async () => {
    const common = ['--model', 'demo-mamba2', '--prompt', STORY, ...DEVICE];
    const own = { tokenizer: { name: 'tokenizer.json', source: 'model' } };
    const kitchen = { id: 8, text: 'kitchen' };
    const lens = ['lens', ...common, '--targets', '8'];
    expect(json(await outcomeOf(...lens, '--json'))).toMatchObject({ ...own, targets: [kitchen] });
    expect((await outcomeOf(...lens)).out).toContain('target 8 "kitchen"');
    const attribute = ['attribute', ...common, '--targets', '8'];
    expect(json(await outcomeOf(...attribute, '--json'))).toMatchObject({ ...own, target_tokens: [kitchen] });
    expect((await outcomeOf(...attribute)).out).toContain('target 8 "kitchen"');
    const generate = ['generate', ...common, '--max-new-tokens', '1', '--json'];
    expect(json(await outcomeOf(...generate))).toMatchObject({ ...own, tokens: [[8]], token_texts: [['kitchen']] });
    const snr = [
      'snr',
      '--models',
      'demo-mamba2',
      '--examples',
      'demo:2',
      '--metric',
      'margin',
      '--resamples',
      '2',
      ...DEVICE,
    ];
    const [{ targets, tokenizer }] = json(await outcomeOf(...snr, '--json')).models;
    expect(targets).toHaveLength(2);
    expect(tokenizer).toEqual(own.tokenizer);
    expect((await outcomeOf(...snr)).out).toContain(`targets: ${targets[0].id} "${targets[0].text}"`);
  });

  it('is GPT-NeoX’s where it has none and the vocabulary fits, which is said', async () => {
    const folder = await wordless(50280);
    const line = [
      'generate',
      '--model',
      folder,
      '--prompt',
      'hello world',
      ...DEVICE,
      '--max-new-tokens',
      '1',
      '--json',
    ];
    const outcome = await outcomeOf(...line);
    expect(outcome.err).toMatch(/no tokenizer of its own: .*GPT-NeoX's \(gpt-neox-20b\)/);
    const { tokenizer, tokens, token_texts: texts } = json(outcome);
    expect(tokenizer).toEqual({ name: 'gpt-neox-20b', source: 'fallback' });
    expect(tokens[0][0]).toBeLessThan(50277);
    expect(texts[0][0]).toEqual(expect.any(String));
    const out = join(root, 'embed.safetensors');
    await outcomeOf(
      'run',
      '--model',
      folder,
      '--prompt',
      'hello world',
      ...DEVICE,
      '--names',
      'hook_embed',
      '--out',
      out,
    );
    const file = readFileSync(out);
    const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString());
    expect(header.__metadata__.tokenizer).toBe('gpt-neox-20b (fallback)');
    expect(header.hook_embed.shape).toEqual([1, 2, 8]);
  });

  it('is none where the vocabulary does not fit, with a remedy', async () => {
    const folder = await wordless(73);
    const line = ['generate', '--model', folder, ...DEVICE, '--max-new-tokens', '1', '--json'];
    expect(json(await outcomeOf(...line, '--ids', '1,2'))).toMatchObject({ tokenizer: null, token_texts: [[null]] });
    const { code, err } = await outcomeOf(...line, '--prompt', 'hello');
    expect(code).not.toBe(0);
    expect(err).toMatch(/no tokenizer.json.*--tokenizer/);
  });

  it('can be chosen: a model’s, a file, the bundled one', async () => {
    const folder = await wordless(73);
    const line = ['lens', '--model', folder, '--prompt', STORY, ...DEVICE, '--targets', '8', '--json', '--tokenizer'];
    const file = join(root, 'words.json');
    cpSync('models/demo-mamba2/tokenizer.json', file);
    for (const [wanted, name] of [
      ['demo-mamba2', 'demo-mamba2'],
      [file, 'words.json'],
      ['models/demo-mamba2', 'models/demo-mamba2'],
    ])
      expect(json(await outcomeOf(...line, wanted))).toMatchObject({
        tokenizer: { name, source: 'chosen' },
        targets: [{ id: 8, text: 'kitchen' }],
      });
    const neox = await outcomeOf(...line, 'gpt-neox-20b');
    expect(neox.err).toMatch(/Token id \d+ is outside the vocabulary/);
    expect((await outcomeOf(...line, 'nobody')).err).toMatch(
      /--tokenizer "nobody" is no tokenizer: give a tokenizer.json/,
    );
  });

  it('is kept with a converted model where it was chosen, also one that is compressed, and not where it only fits', async () => {
    const bundled = gunzipSync(readFileSync('tokenizers/gpt-neox-20b.tokenizer.json.gz')).toString('utf8');
    const cases = [
      [await wordless(73), ['--tokenizer', 'demo-mamba2'], readFileSync('models/demo-mamba2/tokenizer.json', 'utf8')],
      [await wordless(50280), ['--tokenizer', 'gpt-neox-20b'], bundled],
      [await wordless(50280), [], undefined],
    ] as const;
    for (const [k, [model, options, kept]] of cases.entries()) {
      const out = join(root, `converted-${k}`);
      const line = ['convert', '--model', model, '--to', 'diff_mamba2', '--pattern', 'all', '--out', out, ...options];
      const { code, err } = await outcomeOf(...line);
      expect(code, err).toBe(0);
      const file = join(out, 'tokenizer.json');
      expect(existsSync(file) ? readFileSync(file, 'utf8') : undefined).toBe(kept);
    }
  });

  it('can be named for the checkpoint that a training begins with, which keeps it; not for a fresh model', async () => {
    const stories = { source: 'retrieval', sentences: [2, 3] };
    const shared = { data: stories, steps: 1, batch_size: 2, evaluation_examples: 4, precision: 'float32' };
    const train = async (name: string, config: object, ...options: string[]) => {
      const file = join(root, `${name}.json`);
      writeFileSync(file, JSON.stringify({ ...shared, ...config }));
      const line = ['train', '--config', file, '--out', join(root, name), '--device', 'cpu', '--json', ...options];
      return { folder: join(root, name), ...(await outcomeOf(...line)) };
    };
    const from = { checkpoint: await wordless(73) };
    const done = await train('told', { from }, '--tokenizer', 'demo-mamba2');
    expect(done.code, done.err).toBe(0);
    expect(JSON.parse(readFileSync(join(done.folder, 'training.json'), 'utf8')).from).toEqual({
      ...from,
      tokenizer: 'demo-mamba2',
    });
    const kept = (name: string) => readFileSync(join(name, 'tokenizer.json'), 'utf8');
    expect(kept(done.folder)).toBe(kept('models/demo-mamba2'));
    const other = await train('other', { from: { checkpoint: await wordless(50280) } });
    expect(other.err).toMatch(/tokenizer of the data is not that of model/);
    const model = { hidden_size: 16, num_hidden_layers: 1, layers: ['mamba2'], state_size: 4, head_dim: 8 };
    const fresh = await train('fresh', { model }, '--tokenizer', 'demo-mamba2');
    expect(fresh.err).toMatch(/--tokenizer is for the checkpoint that a run begins with/);
  });
});
