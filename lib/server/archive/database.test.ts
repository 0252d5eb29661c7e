import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyTemplate } from './database';

describe('copyTemplate', () => {
  let root: string;
  let template: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'statescope-template-'));
    template = join(root, 'template');
    await mkdir(join(template, 'base'), { recursive: true });
    await writeFile(join(template, 'PG_VERSION'), '17');
    await writeFile(join(template, 'base', '1'), 'rows');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('fills a new folder, over what a copy that was killed left', async () => {
    const path = join(root, 'data', 'database');
    await mkdir(`${path}.draft`, { recursive: true });
    await writeFile(join(`${path}.draft`, 'half'), '');
    await copyTemplate(template, path);
    expect(await readFile(join(path, 'base', '1'), 'utf8')).toBe('rows');
    expect(await readdir(join(root, 'data'))).toEqual(['database']);
    expect(await readdir(path)).not.toContain('half');
  });

  it('leaves a folder alone that is there, and an incomplete template', async () => {
    const path = join(root, 'database');
    await mkdir(path);
    await copyTemplate(template, path);
    expect(await readdir(path)).toEqual([]);
    await rm(join(template, 'PG_VERSION'));
    await copyTemplate(template, join(root, 'other'));
    expect(await readdir(root)).not.toContain('other');
  });
});
