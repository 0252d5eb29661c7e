import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { outcomeOf } from './testing';

let root: string;
const model = () => join(root, 'odd');
const said = /dt_limit was not read: no Mamba-1 clamps/;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'statescope-warnings-'));
  mkdirSync(join(root, 'models'));
  cpSync('lib/models/testing/cases/hf-mamba1', model(), { recursive: true });
  const config = join(model(), 'config.json');
  const fields = JSON.parse(readFileSync(config, 'utf8'));
  writeFileSync(config, JSON.stringify({ ...fields, dt_limit: [0.01, 0.05] }));
  writeFileSync(join(root, 'tokens.json'), '[[1,2,3]]');
  vi.stubEnv('STATESCOPE_MODELS', root);
  vi.stubEnv('HF_HOME', join(root, 'nowhere'));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

it('what of a model is not used is said in the list, on the terminal, in JSON and in files', async () => {
  const listed = await outcomeOf('models', '--json');
  const odd = JSON.parse(listed.out).find(({ name }: { name: string }) => name === 'odd');
  expect(odd.warnings).toEqual([expect.stringMatching(said)]);
  const common = ['--model', model(), '--tokens', join(root, 'tokens.json'), '--device', 'cpu'];
  const generated = await outcomeOf('generate', ...common, '--max-new-tokens', '1', '--json');
  expect(generated.err).toMatch(/^warning: .*dt_limit/m);
  expect(JSON.parse(generated.out).warnings).toEqual(odd.warnings);
  const out = join(root, 'run.safetensors');
  expect(await outcomeOf('run', ...common, '--names', 'hook_embed', '--out', out)).toMatchObject({ code: 0 });
  const file = readFileSync(out);
  const header = file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString();
  expect(JSON.parse(header).__metadata__.warnings).toMatch(said);
});

it('the token that a target stands for is named on the terminal and in JSON', async () => {
  const vocab = Object.fromEntries(['[UNK]', 'the', 'cat', '.', '</s>'].map((word, id) => [word, id]));
  const tokenizer = {
    added_tokens: [{ id: 4, content: '</s>', special: true }],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: '[UNK]' },
  };
  const named = join(root, 'named');
  cpSync('lib/models/testing/cases/hf-mamba1', named, { recursive: true });
  const line = ['knockout', '--model', named, '--ids', '1,2', '--device', 'cpu', '--json', '--target'];
  expect(JSON.parse((await outcomeOf(...line, '4')).out).target).toEqual({ id: 4, text: null });
  writeFileSync(join(named, 'tokenizer.json'), JSON.stringify(tokenizer));
  for (const [target, id] of [
    ['</s>', 4],
    ['cat', 2],
    ['.', 3],
  ] as const) {
    const { out, err } = await outcomeOf(...line, target);
    expect(JSON.parse(out).target).toEqual({ id, text: target });
    expect(err).toContain(`target: token ${id}, "${target}"`);
  }
});
