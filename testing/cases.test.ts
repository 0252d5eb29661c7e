import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hubCache, listModels } from '@/lib/checkpoint';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { outcomeOf } from '@/lib/cli/testing';
import { UNITS } from '@/lib/server/export/numbers';
import { loadTokenizer } from '@/lib/tokenizer';

const CASES = join(process.cwd(), 'testing/cases');
const folderOf = (name: string) => join(CASES, name);
const holding = (file: string) => readdirSync(CASES).filter((name) => existsSync(join(CASES, name, file)));

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'statescope-cases-'));
});
afterAll(() => rmSync(root, { recursive: true }));

/** What `statescope run` gives for a hook point. */
async function ran(name: string, point: string, ...input: string[]) {
  const out = join(root, 'got.safetensors');
  const line = ['run', '--model', folderOf(name), ...input, '--names', point, '--out', out, '--device', 'cpu'];
  const outcome = await outcomeOf(...line);
  expect(outcome.code, outcome.err).toBe(0);
  const tensor = (await readSafetensors(out)).get(point);
  return { err: outcome.err, shape: tensor?.shape, data: tensor?.data as Float32Array };
}

describe('logits are those of transformers', () => {
  it.each(holding('want.safetensors'))('%s', async (name) => {
    const want = (await readSafetensors(join(folderOf(name), 'want.safetensors'))).get('hook_logits');
    const got = await ran(name, 'hook_logits', '--tokens', join(folderOf(name), 'tokens.json'));
    expect(got.shape).toEqual(want?.shape);
    const values = want?.data as Float32Array;
    const most = values.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    expect(got.data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - values[i])), 0)).toBeLessThan(
      1e-4 * most,
    );
  });

  it.each([
    ['diverged-tie', /another lm_head\.weight; that head is used/],
    ['fla-config', /norm_eps 0\.01 is read as layer_norm_epsilon/],
    ['fla-config', /dt_limit \[0\.01,0\.05\] is read as time_step_limit/],
    ['n-layers', /n_layers 2 is read as n_layer/],
  ])('%s says what it took for what', async (name, said) =>
    expect((await ran(name, 'hook_embed', '--ids', '1,2')).err).toMatch(said),
  );
});

describe('tokens are those of Python', () => {
  it.each(holding('expected.json'))('%s', async (name) => {
    const tokenizer = await loadTokenizer(join(folderOf(name), 'tokenizer.json'));
    const rows: { text: string; ids: number[]; offsets: number[][]; decoded: string }[] = JSON.parse(
      readFileSync(join(folderOf(name), 'expected.json'), 'utf8'),
    );
    for (const { text, ids, offsets, decoded } of rows) {
      const units = (points: number) => [...text].slice(0, points).join('').length;
      const { tokens } = tokenizer.encode(text);
      const got = { text, ids: tokens.map(({ id }) => id), offsets: tokens.map(({ start, end }) => [start, end]) };
      expect({ ...got, decoded: tokenizer.decode(ids) }).toEqual({
        text,
        ids,
        offsets: offsets.map((pair) => pair.map(units)),
        decoded,
      });
    }
  });

  it('without the end that tokenizer_config.json switches off', async () =>
    expect((await ran('eos-flag', 'hook_embed', '--prompt', 'hello world')).shape).toEqual([1, 4, 16]));

  it('of a word are what is measured: by text and by ids alike', async () => {
    const measured = async (examples: string) => {
      const model = folderOf('llama-prepend');
      const line = [
        'snr',
        '--models',
        model,
        '--examples',
        join(model, examples),
        '--metric',
        'needle_against_context',
      ];
      const { code, out, err } = await outcomeOf(...line, '--device', 'cpu', '--json');
      expect(code, err).toBe(0);
      return JSON.parse(out).models[0];
    };
    const [byText, byIds] = [await measured('needle.jsonl'), await measured('needle-tokens.jsonl')];
    expect(byText.targets).toEqual([{ id: 409, text: '▁mat' }]);
    expect(byText.rows).toHaveLength(3);
    expect(byText.rows).toEqual(byIds.rows);
  });

  it.each([
    ['</s>', 1],
    ['1', 1],
  ])('of the target %s are named', async (target, id) => {
    const line = ['knockout', '--model', folderOf('target-words'), '--prompt', 'the cat', '--target', target];
    const { out, err } = await outcomeOf(...line, '--device', 'cpu', '--json');
    expect(JSON.parse(out).target, err).toEqual({ id, text: '</s>' });
  });

  it('from vocab.json and merges.txt are read, and those that the model has no row for are told', async () => {
    const tokenizer = await loadTokenizer(join(folderOf('gpt2-files'), 'vocab.json'));
    const { tokens } = tokenizer.encode('hello');
    expect(tokens.map(({ text }) => text).join('')).toBe('hello');
    const line = ['generate', '--model', folderOf('gpt2-files'), '--prompt', 'hello', '--max-new-tokens', '1'];
    const { code, err } = await outcomeOf(...line, '--device', 'cpu');
    expect(code).not.toBe(0);
    expect(err).toMatch(/its tokenizer \(vocab\.json \+ merges\.txt\) is of another model.*--tokenizer/);
  });
});

describe('models are found', () => {
  const place = (...path: string[]) => {
    const folder = join(root, ...path);
    mkdirSync(folder, { recursive: true });
    return folder;
  };
  const copy = (to: string, ...files: string[]) => {
    for (const file of files) cpSync(join(folderOf('diverged-tie'), file), join(to, file));
  };
  const ALL = ['config.json', 'model.safetensors'];

  it('in the caches that huggingface_hub would read', async () => {
    const repository = ['plain', 'hub', 'models--org--tiny'];
    copy(place(...repository, 'snapshots', 'abc'), ...ALL);
    writeFileSync(join(place(...repository, 'refs'), 'main'), 'abc');
    for (const environment of [
      { HF_HOME: join(root, 'plain') },
      { HOME: '/nonexistent', HUGGINGFACE_HUB_CACHE: join(root, 'plain', 'hub') },
      { HOME: root, HF_HOME: '~/plain' },
      { HOME: root, HF_HOME: '$HOME/plain' },
      { HOME: root, HF_HUB_CACHE: '~/plain/hub' },
      { HOME: root, HF_HUB_CACHE: `\${HOME}/plain/hub` },
    ])
      expect(await listModels({ roots: [hubCache(environment)] }), JSON.stringify(environment)).toMatchObject([
        { name: 'org/tiny' },
      ]);
  });

  it('in the newest complete snapshot', async () => {
    const repository = ['two', 'hub', 'models--org--tiny', 'snapshots'];
    copy(place(...repository, 'a1'), ...ALL);
    copy(place(...repository, 'b2'), 'config.json');
    const [{ path }] = await listModels({ roots: [hubCache({ HF_HOME: join(root, 'two') })] });
    expect(path).toMatch(/snapshots\/a1$/);
  });

  it('as the checkpoints of a training, in their order', async () => {
    for (const folder of [[], ['checkpoint-1000'], ['checkpoint-500'], ['checkpoint-9']])
      copy(place('runs', 'run', ...folder), ...ALL);
    expect((await listModels({ roots: [join(root, 'runs')] })).map(({ name }) => name)).toEqual([
      'run',
      'run/checkpoint-9',
      'run/checkpoint-500',
      'run/checkpoint-1000',
    ]);
  });
});

describe('sentences help', () => {
  it('with a pointer of Git LFS', async () => {
    const line = ['run', '--model', folderOf('lfs-pointer'), '--ids', '1,2', '--names', 'hook_embed'];
    const { code, err } = await outcomeOf(...line, '--out', join(root, 'x.safetensors'));
    expect(code).not.toBe(0);
    expect(err).toMatch(/model\.safetensors is a Git LFS pointer and not the file itself; run `git lfs install`/);
  });

  it('with ranks, which count from 0', () => expect(UNITS.target_rank).toBe('rank, 0 is the top'));
});
