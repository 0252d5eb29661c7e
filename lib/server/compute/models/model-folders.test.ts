import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ModelFolders } from './model-folders';

const CASE = join(process.cwd(), 'lib/models/testing/cases/hf-mamba1-bias');

let root: string;
let mine: string;
const data = () => join(root, 'data');
const opened = (folder: string | null = data()) => new ModelFolders(root, folder);
const names = async (folders: ModelFolders) =>
  (await folders.find()).filter(({ path }) => path.startsWith(root)).map(({ name }) => name);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'statescope-folders-'));
  mine = join(root, 'models', 'a', 'b', 'c');
  mkdirSync(mine, { recursive: true });
  cpSync(CASE, join(mine, 'thesis'), { recursive: true });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

describe('folders that were added', () => {
  it('outlive the server, and are looked into until they are removed', async () => {
    await opened().add('a/b/c');
    const next = opened();
    expect(next.added).toEqual([mine]);
    expect(await names(next)).toContain('thesis');
    next.remove(mine);
    expect(await names(next)).not.toContain('thesis');
    expect(opened().added).toEqual([]);
  });

  it('are kept nowhere without a data folder', async () => {
    await opened(null).add('a/b/c');
    expect(opened(null).added).toEqual([]);
  });

  it('are dropped in a sentence once they are gone, until that is dismissed or they are back', async () => {
    await opened().add('a/b/c');
    rmSync(mine, { recursive: true });
    const next = opened();
    expect(await names(next)).toEqual([]);
    expect(next.dropped).toEqual([{ folder: mine, problem: `${mine} is gone, so it was taken from the list.` }]);
    expect(next.added).toEqual([]);
    expect(opened().added).toEqual([]);
    next.remove(mine);
    expect(next.dropped).toEqual([]);
    expect(() => next.remove(mine)).toThrow(/was not added/);

    cpSync(CASE, join(mine, 'thesis'), { recursive: true });
    await next.add('a/b/c');
    expect([next.added, next.dropped]).toEqual([[mine], []]);
  });

  it('are not read where the server may not look any more', async () => {
    mkdirSync(data());
    writeFileSync(join(data(), 'model-folders.json'), JSON.stringify({ folders: ['/etc'] }));
    const folders = opened();
    expect(await names(folders)).toEqual([]);
    expect(folders.dropped).toMatchObject([
      { folder: '/etc', problem: expect.stringContaining('outside the folders') },
    ]);
  });

  it('are kept with the tokenizers that were chosen', async () => {
    const folders = opened();
    await folders.add('a/b/c');
    folders.chooseTokenizer('c', 'gpt-neox-20b');
    expect([opened().tokenizerOf('c'), opened().added]).toEqual(['gpt-neox-20b', [mine]]);
    folders.chooseTokenizer('c', null);
    expect(opened().tokenizerOf('c')).toBeUndefined();
  });

  it('survive a list that is damaged, which is said in the log', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    mkdirSync(data());
    writeFileSync(join(data(), 'model-folders.json'), '{');
    const folders = opened();
    expect(said).toHaveBeenCalledWith(expect.stringContaining('cannot be read'));
    await folders.add('a/b/c');
    expect(JSON.parse(readFileSync(join(data(), 'model-folders.json'), 'utf8'))).toEqual({ folders: [mine] });
  });
});
