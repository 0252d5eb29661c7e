import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeAtomically } from './files';
import { partialName } from './partial';

describe('what a killed writer leaves', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'partial-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** The name that this process would take, as if another process had taken it. */
  async function nameOf(pid: number | undefined, path: string, prefix = ''): Promise<string> {
    return (await partialName(path, prefix)).replace(`-${process.pid}-`, `-${pid}-`);
  }

  /** The number of a process that has ended. */
  const dead = () => spawnSync(process.execPath, ['-e', '']).pid;

  it('is removed by the next write to the same place', async () => {
    const path = join(folder, 'model.safetensors');
    writeFileSync(await nameOf(dead(), path), 'half');
    await writeAtomically(path, [new Uint8Array(3)]);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('is removed where it is a folder', async () => {
    const left = await nameOf(dead(), join(folder, 'model'), '.');
    mkdirSync(left);
    writeFileSync(join(left, 'config.json'), '{}');
    await partialName(join(folder, 'model'), '.');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('stays where its process lives, or is of another machine or place', async () => {
    const path = join(folder, 'model.safetensors');
    const living = await nameOf(process.ppid, path);
    const elsewhere = `${path}.partial-another.machine-${dead()}-0`;
    const neighbour = await nameOf(dead(), join(folder, 'other.safetensors'));
    for (const name of [living, elsewhere, neighbour]) writeFileSync(name, 'half');
    await writeAtomically(path, [new Uint8Array(3)]);
    const names = [living, elsewhere, neighbour, path].map((name) => basename(name));
    expect(readdirSync(folder).sort()).toEqual(names.sort());
  });
});
