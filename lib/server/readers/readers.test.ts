import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeWorkspace, type Workspace } from '../testing/workspace';
import { Readers } from './readers';

let workspace: Workspace;
let readers: Readers;
const models = (...parts: string[]) => join(workspace.root, 'models', ...parts);

beforeAll(async () => {
  workspace = await makeWorkspace();
  readers = new Readers({ ...workspace.settings, textSeconds: 6 });
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  await readers.close();
  await workspace.remove();
});

/** A copy of a good model, changed. */
async function copy(name: string): Promise<string> {
  await cp(models('plain'), models(name), { recursive: true });
  return models(name);
}

async function changeTokenizer(folder: string, change: object): Promise<void> {
  const path = join(folder, 'tokenizer.json');
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }));
}

const problemOf = async (name: string) =>
  (await readers.call('models', null)).unreadable.find((one) => one.name === name)?.problem;

describe('a regular expression that does not come to an end', () => {
  const SLOW = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false };
  const TEXT = `${'a'.repeat(40)}!`;

  it.each([
    ['pre-tokenizer', { pre_tokenizer: SLOW }],
    ['normalizer', { normalizer: { type: 'Replace', pattern: SLOW.pattern, content: 'x' } }],
  ])('in a %s ends in a sentence, and others are answered meanwhile', async (what, change) => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const name = `slow-${what}`;
    await changeTokenizer(await copy(name), change);
    let ended = false;
    const stuck = readers.call('tokenize', { model: name, text: TEXT }).finally(() => {
      ended = true;
    });
    stuck.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await readers.call('tokenize', { model: 'plain', text: 'Mary' })).toHaveLength(1);
    expect(ended).toBe(false);
    await expect(stuck).rejects.toMatchObject({
      status: 422,
      message: `The tokenizer of ${name} did not come to an end with this text in 6 s and was stopped.`,
    });
    expect((await readers.call('models', null)).models.map((model) => model.name)).toContain(name);
    await rm(models(name), { recursive: true });
  });

  it('does not keep the server from ending', async () => {
    await changeTokenizer(await copy('slow'), { pre_tokenizer: SLOW });
    const own = new Readers(workspace.settings);
    const stuck = own.call('tokenize', { model: 'slow', text: TEXT });
    const refused = expect(stuck).rejects.toMatchObject({ status: 503, message: /shutting down/ });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await own.close();
    await refused;
    await rm(models('slow'), { recursive: true });
  });
});

describe('one bad folder', () => {
  afterEach(() => rm(models('bad'), { recursive: true, force: true }));

  it.each([
    [
      'weights that link to nothing',
      async (folder: string) => symlink('../blobs/6f0e', join(folder, 'model.safetensors')),
    ],
    [
      'weights that link to themselves',
      async (folder: string) => symlink('model.safetensors', join(folder, 'model.safetensors')),
    ],
    ['weights that are a pipe', async (folder: string) => pipe(join(folder, 'model.safetensors'))],
    ['weights that are a folder', async (folder: string) => mkdir(join(folder, 'model.safetensors'))],
  ])('does not take the others away: %s', async (_what, make) => {
    const folder = await copy('bad');
    await rm(join(folder, 'model.safetensors'));
    await make(folder);
    const list = await readers.call('models', null);
    expect(list.models.map(({ name }) => name)).toContain('plain');
    expect(list.unreadable.find(({ name }) => name === 'bad')?.problem).toMatch(/bad/);
  });

  it('is not waited for where its config or tokenizer is a pipe', async () => {
    const folder = await copy('bad');
    for (const name of ['config.json', 'tokenizer.json']) {
      await rm(join(folder, name));
      pipe(join(folder, name));
    }
    expect(await problemOf('bad')).toMatch(/config.json is not a file/);
    await expect(readers.call('tokenize', { model: 'bad', text: 'Mary' })).rejects.toMatchObject({
      status: 422,
      message: /tokenizer.json is not a file/,
    });
  });

  it('is not read where a file is far larger than any', async () => {
    const folder = await copy('bad');
    await truncate(join(folder, 'tokenizer.json'), 2 ** 30);
    await expect(readers.call('tokenize', { model: 'bad', text: 'Mary' })).rejects.toMatchObject({
      status: 422,
      message: /tokenizer.* has 1073741824 bytes, far more than any needs/,
    });
    await truncate(join(folder, 'config.json'), 2 ** 30);
    expect(await problemOf('bad')).toMatch(/1073741824 bytes, far more/);
  });

  it.each([
    ['nests without end', Buffer.from('['.repeat(2e6) + ']'.repeat(2e6)), /nests deeper/],
    [
      'has a million tensors',
      Buffer.from(
        `{${Array.from({ length: 1e6 }, (_, i) => `"${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`)}}`,
      ),
      /more than 1500000 values/,
    ],
  ])('has a header that %s: one sentence, read once', async (_what, header, sentence) => {
    const folder = await copy('bad');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await writeFile(join(folder, 'model.safetensors'), Buffer.concat([length, header]));
    expect(await problemOf('bad')).toMatch(sentence);
  });
});

const pipe = (path: string) => execFileSync('mkfifo', [path]);
