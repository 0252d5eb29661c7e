import { spawnSync } from 'node:child_process';
import {
  existsSync,
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
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeptFolders } from '../compute/models/kept-folders';
import { checkUnlocked, lockFolder } from './lock';
import { checkFolder } from './marker';
import { addedFoldersFile, lockFile, storeFile } from './places';

const TIMES = { beat: 200, stale: 1500, settle: 100 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'statescope-lock-'));
  vi.spyOn(console, 'info').mockImplementation(() => undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const lock = (onLost?: (error: Error) => void) => lockFolder(folder, onLost, TIMES);
const owner = () => JSON.parse(readFileSync(lockFile(folder), 'utf8'));
/** As a container on the same volume, or another machine, would have written it: this process does not exist there. */
const foreign = { pid: 1, started: '7', host: 'node17', boot: 'b', namespace: 'pid:[1]', token: 'foreign' };

describe('the lock of a folder', () => {
  it('is taken over from a process that is gone or whose number another has now', async () => {
    (await lock()).release();
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(lockFile(folder), JSON.stringify({ pid, started: '1' }));
    const held = await lock();
    expect(owner()).toMatchObject({ pid: process.pid, host: expect.any(String), token: expect.any(String) });
    await expect(lock()).rejects.toThrow(/used by another/);
    expect(() => checkUnlocked(folder)).toThrow(/used by another/);
    held.release();
    checkUnlocked(folder);
    writeFileSync(lockFile(folder), JSON.stringify({ pid: process.ppid, started: '1' }));
    (await lock()).release();
    writeFileSync(lockFile(folder), 'torn');
    (await lock()).release();
    expect(existsSync(lockFile(folder))).toBe(false);
  });

  it('is a plain file: a pipe or a folder of its name is told, and not waited for', async () => {
    for (const make of [(path: string) => spawnSync('mkfifo', [path]), mkdirSync]) {
      make(lockFile(folder));
      await expect(lock()).rejects.toThrow(/is not a plain file. Move it away/);
      expect(() => checkUnlocked(folder)).toThrow(/is not a plain file/);
      expect(() => checkFolder(folder)).toThrow(/is not a plain file/);
      rmSync(lockFile(folder), { recursive: true });
    }
    spawnSync('mkfifo', [storeFile(folder)]);
    expect(() => checkFolder(folder)).toThrow(/is not a plain file/);
    spawnSync('mkfifo', [addedFoldersFile(folder)]);
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    expect(new KeptFolders(addedFoldersFile(folder)).read()).toEqual({ folders: [], tokenizers: {} });
    expect(said).toHaveBeenCalledWith(expect.stringContaining('cannot be read'));
  });

  it('of another machine is respected while it gives signs of life, whatever its clock says', async () => {
    for (const ahead of [0, -3600, 3600]) {
      let second = Date.now() / 1000 + ahead;
      writeFileSync(lockFile(folder), JSON.stringify(foreign));
      const beating = setInterval(() => utimesSync(lockFile(folder), second, second++), TIMES.beat);
      await expect(lock()).rejects.toThrow(/process 1 on node17, another machine or container.*Stop the other/);
      clearInterval(beating);
      expect(owner()).toEqual(foreign);
    }
  });

  it('of another machine that is silent is taken over, once, and the log says so', async () => {
    writeFileSync(lockFile(folder), JSON.stringify(foreign));
    utimesSync(lockFile(folder), 1, 1);
    const results = await Promise.allSettled([lock(), lock(), lock()]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(console.info).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/from process 1 on node17, which is gone/),
    );
    for (const result of results) if (result.status === 'fulfilled') result.value.release();
  });

  it('beats, and ends for good when another has taken it over', async () => {
    const lost: Error[] = [];
    const held = await lock((error) => lost.push(error));
    const changed = () => statSync(lockFile(folder)).mtimeMs;
    utimesSync(lockFile(folder), 1, 1);
    await vi.waitFor(() => expect(changed()).toBeGreaterThan(Date.now() - 5000), { timeout: 10_000 });
    held.check();
    writeFileSync(join(folder, 'taker'), JSON.stringify(foreign));
    renameSync(join(folder, 'taker'), lockFile(folder));
    utimesSync(lockFile(folder), 1, 1);
    await vi.waitFor(() => expect(lost).toHaveLength(1), { timeout: 10_000 });
    expect(lost[0].message).toMatch(/taken over by another Statescope \(process 1 on node17\)/);
    expect(() => held.check()).toThrow(lost[0].message);
    await sleep(2 * TIMES.beat);
    held.release();
    expect(owner()).toEqual(foreign);
    expect(changed()).toBe(1000);
    expect(lost).toHaveLength(1);
  });
});
