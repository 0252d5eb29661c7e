import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSafetensors } from '@/lib/safetensors';
import { needs } from '@/testing/needs';
import { FULL_SET, MODEL_SETS } from '@/testing/references';
import { parseConfig } from './config';
import { defaultRoots, findModels, listModels, resolveModel } from './registry';
import { expectedTensors } from './schema';
import { InputError } from './types';

const CONFIG = { model_type: 'mamba', hidden_size: 8, num_hidden_layers: 2, vocab_size: 5, state_size: 2 };

function weights(): Uint8Array {
  const shapes = expectedTensors(parseConfig(CONFIG, new Map()));
  return encodeSafetensors(
    [...shapes].map(([name, shape]) => ({ name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) })),
  );
}

describe('models on disk', () => {
  let root: string;
  const at = (...names: string[]) => join(root, ...names);

  async function model(...names: string[]): Promise<void> {
    await mkdir(at(...names), { recursive: true });
    await writeFile(at(...names, 'config.json'), JSON.stringify(CONFIG));
    await writeFile(at(...names, 'model.safetensors'), weights());
  }

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'statescope-registry-'));
    await model('models', 'tiny');
    await model('models', 'owner', 'nested');
    await model('models', '.hidden.partial-1');
    await model('other', 'tiny');
    await model('other', 'second');
    await mkdir(at('models', 'broken'));
    await writeFile(at('models', 'broken', 'config.json'), '{"model_type":"bert"}');
    await mkdir(at('models', 'empty'));
    await model('hub', 'blobs-of-a-snapshot');
    const cached = (revision: string) => ['hub', 'models--state-spaces--mamba-130m-hf', 'snapshots', revision];
    await model(...cached('old'));
    await model(...cached('main'));
    await mkdir(at('hub', 'models--state-spaces--mamba-130m-hf', 'refs'));
    await writeFile(at('hub', 'models--state-spaces--mamba-130m-hf', 'refs', 'main'), 'main');
    await model('hub', 'models--me--unreferenced', 'snapshots', 'older');
    await utimes(at('hub', 'models--me--unreferenced', 'snapshots', 'older'), 1, 1);
    await model('hub', 'models--me--unreferenced', 'snapshots', 'newer');
    await mkdir(at('hub', 'models--me--no-snapshot'));
    await symlink(at('nowhere'), at('models', 'dangling'));
  });
  afterAll(() => rm(root, { recursive: true }));

  it('lists names, sizes and dtypes from headers, and tells what it skips', async () => {
    const skipped: string[] = [];
    const listed = await listModels({ roots: [at('models')], onSkipped: ({ name }) => skipped.push(name) });
    expect(listed.map(({ name }) => name)).toEqual(['owner/nested', 'tiny']);
    expect(skipped).toEqual(['broken']);
    const shapes = expectedTensors(parseConfig(CONFIG, new Map()));
    expect(listed[1]).toEqual({
      name: 'tiny',
      path: at('models', 'tiny'),
      format: 'hf-mamba',
      layers: ['mamba1', 'mamba1'],
      hidden_size: 8,
      parameters: [...shapes.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0),
      dtype: 'float32',
      vocab_size: 5,
      tied: true,
    });
  });

  it('lets the first root win and takes a root that is itself a model', async () => {
    const found = await findModels([at('other'), at('models'), at('models', 'owner', 'nested'), at('nowhere')]);
    const paths = new Map(found.map(({ name, path }) => [name, path]));
    expect(paths.get('tiny')).toBe(at('other', 'tiny'));
    expect(paths.get('second')).toBe(at('other', 'second'));
    expect(paths.get('nested')).toBe(at('models', 'owner', 'nested'));
  });

  it('reads the Hugging Face cache: the snapshot of main, else the newest', async () => {
    const paths = new Map((await findModels([at('hub')])).map(({ name, path }) => [name, path]));
    expect(paths.get('state-spaces/mamba-130m-hf')).toMatch(/snapshots\/main$/);
    expect(paths.get('me/unreferenced')).toMatch(/snapshots\/newer$/);
    expect(paths.has('me/no-snapshot')).toBe(false);
  });

  it('takes the newest snapshot that is complete, and main only where it is', async () => {
    const chosen = async (name: string) => (await findModels([at('part')])).find((one) => one.name === name)?.path;
    const snapshot = (name: string, revision: string) => ['part', `models--me--${name}`, 'snapshots', revision];
    for (const name of ['two', 'ref', 'none']) {
      if (name !== 'none') await model(...snapshot(name, 'older'));
      await mkdir(at(...snapshot(name, 'newer')), { recursive: true });
      await writeFile(at(...snapshot(name, 'newer'), 'config.json'), JSON.stringify(CONFIG));
    }
    await mkdir(at('part', 'models--me--ref', 'refs'));
    await writeFile(at('part', 'models--me--ref', 'refs', 'main'), 'newer');
    expect(await chosen('me/two')).toBe(at(...snapshot('two', 'older')));
    expect(await chosen('me/ref')).toBe(at(...snapshot('ref', 'older')));
    expect(await chosen('me/none')).toBe(at(...snapshot('none', 'newer')));
    // Shards of which one is missing.
    const index = { weight_map: { a: 'a.safetensors', b: 'b.safetensors' } };
    await writeFile(at(...snapshot('two', 'newer'), 'model.safetensors.index.json'), JSON.stringify(index));
    await writeFile(at(...snapshot('two', 'newer'), 'a.safetensors'), weights());
    expect(await chosen('me/two')).toBe(at(...snapshot('two', 'older')));
    await writeFile(at(...snapshot('two', 'newer'), 'b.safetensors'), weights());
    expect(await chosen('me/two')).toBe(at(...snapshot('two', 'newer')));
  });

  it('finds what training saved inside of a model, in its order', async () => {
    const folders = [
      ['run'],
      ['run', 'checkpoint-1000'],
      ['run', 'checkpoint-500'],
      ['me', 'run', 'checkpoint-7'],
      ['me', 'own', 'best'],
    ];
    for (const folder of folders) await model('runs', ...folder);
    await model('runs', 'me', 'own');
    await mkdir(at('runs', 'run', 'tuned-lens'));
    await writeFile(at('runs', 'run', 'tuned-lens', 'config.json'), '{}');
    const names = ['me/own', 'me/own/best', 'me/run/checkpoint-7', 'run', 'run/checkpoint-500', 'run/checkpoint-1000'];
    expect((await findModels([at('runs')])).map(({ name }) => name)).toEqual(names);
    expect((await findModels([at('runs', 'run')])).map(({ name }) => name)).toEqual(names.slice(3));
    expect(await resolveModel('run/checkpoint-500', { roots: [at('runs')] })).toEqual({
      name: 'run/checkpoint-500',
      path: at('runs', 'run', 'checkpoint-500'),
    });
  });

  it('resolves names before folders, and only names where asked', async () => {
    const roots = [at('models'), at('hub')];
    expect((await resolveModel('tiny', { roots })).path).toBe(at('models', 'tiny'));
    expect(await resolveModel(at('models', 'owner', 'nested'), { roots })).toMatchObject({ name: 'owner/nested' });
    expect(await resolveModel(at('other', 'second'), { roots })).toEqual({
      name: 'second',
      path: at('other', 'second'),
    });
    for (const name of [at('other', 'second'), '../other/second', 'tiny/../tiny', '', '.']) {
      await expect(resolveModel(name, { roots, namesOnly: true })).rejects.toThrow(InputError);
    }
    await expect(resolveModel('nothing', { roots })).rejects.toThrow(/no model "nothing".*known models: .*tiny/);
    await expect(resolveModel('nothing', { roots: [] })).rejects.toThrow(/no models were found/);
  });

  it('says of a path that is no model what it is, and what to name instead', async () => {
    const place = at('elsewhere');
    const said = (path: string) => resolveModel(path, { roots: [] }).catch(({ message }: Error) => message);
    for (const step of ['checkpoint-10', 'checkpoint-9'])
      await cp(at('models', 'tiny'), join(place, 'trainer', step), { recursive: true });
    expect(await said(join(place, 'trainer'))).toMatch(/holds some: checkpoint-9, checkpoint-10; name one/);
    expect(await said(join(place, 'trainer', 'checkpoint-9', 'config.json'))).toMatch(/is a file.*by its folder/);
    await mkdir(join(place, 'peft'));
    await writeFile(join(place, 'peft', 'adapter_model.safetensors'), '');
    expect(await said(join(place, 'peft'))).toMatch(/has no config\.json.*adapter alone: merge it/);
  });
});

describe('default roots', () => {
  it.each<[Record<string, string>, string]>([
    [{ HF_HUB_CACHE: '/c', HUGGINGFACE_HUB_CACHE: '/d', HF_HOME: '/e' }, '/c'],
    [{ HUGGINGFACE_HUB_CACHE: '/d', HF_HOME: '/e' }, '/d'],
    [{ HF_HOME: '~/e' }, '/me/e/hub'],
    [{ HF_HOME: '$HOME/e' }, '/me/e/hub'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's spelling of a variable
    [{ HF_HUB_CACHE: '${DISK}/c', DISK: '/x' }, '/x/c'],
    [{ HUGGINGFACE_HUB_CACHE: '~/$WHERE/c', WHERE: 'y' }, '/me/y/c'],
    [{ HF_HOME: '/a/$MISSING' }, '/a/$MISSING/hub'],
    [{ XDG_CACHE_HOME: '/cache' }, '/cache/huggingface/hub'],
    [{}, '/me/.cache/huggingface/hub'],
    [{ HF_HOME: '', HF_HUB_CACHE: '' }, '/me/.cache/huggingface/hub'],
  ])('find the cache with %j as huggingface_hub does', (environment, cache) => {
    expect(defaultRoots('/project', { HOME: '/me', ...environment }).at(-1)).toBe(cache);
  });

  it('read ~ and variables in the path list too', () => {
    const list = ['~/a', '$DISK/b'].join(delimiter);
    expect(defaultRoots('/p', { HOME: '/me', DISK: '/x', STATESCOPE_MODELS: list }).slice(1, 3)).toEqual([
      '/me/a',
      '/x/b',
    ]);
  });

  it('are the project, the path list and the cache, in this order', () => {
    const list = ['/a', '/b'].join(delimiter);
    expect(defaultRoots('/project', { STATESCOPE_MODELS: list, HF_HOME: '/hf' })).toEqual([
      resolve('/project/models'),
      resolve('/a'),
      resolve('/b'),
      resolve('/hf/hub'),
    ]);
    expect(defaultRoots('/p', { HF_HUB_CACHE: '/c', HF_HOME: '/hf' }).at(-1)).toBe(resolve('/c'));
    expect(defaultRoots('/p', { XDG_CACHE_HOME: '/x' }).at(-1)).toBe(resolve('/x/huggingface/hub'));
    expect(defaultRoots('/p', {}).at(-1)).toMatch(/\.cache[\\/]huggingface[\\/]hub$/);
  });
});

const [full, committed] = MODEL_SETS;
it('lists the full set of reference cases', needs(existsSync(full), FULL_SET), async () => {
  expect(await listModels({ roots: [full] })).toHaveLength(27);
});

it('lists every reference case of the repository, .bin files included', async () => {
  const listed = await listModels({ roots: [committed] });
  expect(listed.map(({ name }) => name).sort()).toEqual(
    readdirSync(committed)
      .filter((name) => !name.endsWith('.md'))
      .sort(),
  );
  const byName = new Map(listed.map((model) => [model.name, model]));
  expect(byName.get('hf-mamba2-sharded')).toMatchObject({ dtype: 'bfloat16', format: 'hf-mamba2', parameters: 26884 });
  expect(byName.get('official-mamba1')).toMatchObject({ format: 'official-mamba', vocab_size: 104, tied: true });
  expect(byName.get('hf-diffmamba2-all')?.layers).toEqual(['diff_mamba2', 'diff_mamba2', 'diff_mamba2']);
});
