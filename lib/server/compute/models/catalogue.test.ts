import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as checkpoints from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';
import * as loading from '@/lib/checkpoint/load';
import { Random } from '@/lib/random';
import { initialCheckpoint } from '@/lib/training/initialise';
import { Catalogue } from './catalogue';

vi.mock('@/lib/checkpoint', async (original) => {
  const actual = await original<typeof checkpoints>();
  return { ...actual, describeModel: vi.fn(actual.describeModel), findModels: vi.fn(actual.findModels) };
});

vi.mock('@/lib/checkpoint/load', async (original) => {
  const actual = await original<typeof loading>();
  return { ...actual, openCheckpoint: vi.fn(actual.openCheckpoint) };
});

const CASE = join(process.cwd(), 'lib/models/testing/cases/hf-mamba1-bias');

let root: string;
let catalogue: Catalogue;
const folder = (name: string) => join(root, 'models', name);
const described = () => vi.mocked(checkpoints.describeModel).mock.calls.map(([{ name }]) => name);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'statescope-catalogue-'));
  cpSync(CASE, folder('good'), { recursive: true });
  mkdirSync(folder('broken'));
  writeFileSync(join(folder('broken'), 'config.json'), '{');
  vi.stubEnv('HF_HOME', join(root, 'nowhere'));
  catalogue = new Catalogue(root, null);
  vi.clearAllMocks();
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

describe('a model folder', () => {
  it('is read once for each state of its files, whether it can be used or not', async () => {
    for (let k = 0; k < 3; k++) {
      const { models, unreadable } = await catalogue.list();
      expect(models.map(({ name }) => name)).toEqual(['good']);
      expect(unreadable).toMatchObject([{ name: 'broken', problem: expect.stringContaining('holds no weights') }]);
    }
    expect(described().sort()).toEqual(['broken', 'good']);
    rmSync(folder('broken'), { recursive: true });
    cpSync(CASE, folder('broken'), { recursive: true });
    expect((await catalogue.list()).unreadable).toEqual([]);
    expect(described().sort()).toEqual(['broken', 'broken', 'good']);
  });

  it('is listed with what of its files is not used', async () => {
    const config = join(folder('good'), 'config.json');
    writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), note: 'mine' }));
    const [model] = (await catalogue.list()).models;
    expect(model.warnings).toEqual([expect.stringMatching(/note "mine" is not known/)]);
    expect(await catalogue.warnings('good')).toEqual(model.warnings);
  });

  it('is read with GPT-NeoX’s tokenizer where it has none and the vocabulary fits', async () => {
    const json = {
      model_type: 'mamba2',
      hidden_size: 8,
      num_hidden_layers: 1,
      head_dim: 4,
      state_size: 4,
      n_groups: 1,
    };
    const config = parseConfig({ ...json, vocab_size: 50280 }, new Map());
    await checkpoints.saveCheckpoint(
      folder('official'),
      config,
      initialCheckpoint(config, new Random(1), 'official').tensors,
    );
    cpSync(join(process.cwd(), 'tokenizers'), join(root, 'tokenizers'), { recursive: true });
    const { models } = await catalogue.list();
    expect(models.map(({ name, hasTokenizer, tokenizer }) => ({ name, hasTokenizer, tokenizer }))).toEqual([
      { name: 'good', hasTokenizer: false, tokenizer: null },
      { name: 'official', hasTokenizer: true, tokenizer: { name: 'gpt-neox-20b', source: 'fallback' } },
    ]);
    expect((await catalogue.tokenizer('official')).encode('hello world').ids).toEqual([25521, 1533]);
    // Rows beyond the tokenizer's ids are padding, as with a tokenizer of its own.
    expect((await catalogue.checkpoint('official')).config).toMatchObject({ V: 50280, vocabulary: 50277 });
  });

  it('is opened once for its config, until it changes', async () => {
    const first = await catalogue.config('good');
    for (let k = 0; k < 3; k++) expect(await catalogue.config('good')).toBe(first);
    for (let k = 0; k < 3; k++) await expect(catalogue.config('broken')).rejects.toThrow('holds no weights');
    expect(loading.openCheckpoint).toHaveBeenCalledTimes(2);
    writeFileSync(join(folder('good'), 'config.json'), JSON.stringify({ model_type: 'gpt2' }));
    await expect(catalogue.config('good')).rejects.toThrow('gpt2');
  });

  it('is another one when its weights are replaced, also by a file of the same size and time', async () => {
    const before = await catalogue.fingerprint('good');
    expect(await catalogue.fingerprint('good')).toBe(before);
    const weights = join(folder('good'), 'model.safetensors');
    const { atime, mtime, size } = statSync(weights);
    writeFileSync(`${weights}.new`, new Uint8Array(size));
    renameSync(`${weights}.new`, weights);
    utimesSync(weights, atime, mtime);
    expect(statSync(weights).mtimeMs).toBeCloseTo(mtime.getTime(), 1);
    expect(await catalogue.fingerprint('good')).not.toBe(before);
  });

  it('is found again without looking through all the others', async () => {
    for (let k = 0; k < 2000; k++) mkdirSync(folder(`empty-${k}`));
    await catalogue.list();
    for (let k = 0; k < 50; k++) await catalogue.config('good');
    expect(checkpoints.findModels).toHaveBeenCalledTimes(1);
  });
});
