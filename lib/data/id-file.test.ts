import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { idTypeFor, readIds, rowsIn } from './id-file';

it('reads ids beyond 4 GiB of a file without reading what is before them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'id-file-'));
  try {
    // A hole takes no room on the disk.
    const path = join(folder, 'ids.bin');
    const file = await open(path, 'w');
    const start = 3_000_000_000;
    await file.write(new Uint8Array(Uint16Array.of(7, 8, 9, 65_535).buffer), 0, 8, 16 + 2 * start);
    await file.close();
    const before = process.memoryUsage().rss;
    const ids = readIds({ path, offset: 16, type: 'U16' }, start - 2, 6, 65_536);
    expect([...ids]).toEqual([0, 0, 7, 8, 9, 65_535]);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 26);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('cuts rows that share a token with the next, so that each token but the first is said once', () => {
  const range = (count: number) => ({ file: { path: '', offset: 0, type: 'U8' as const }, start: 0, count });
  expect([0, 1, 10, 11, 20, 21].map((count) => rowsIn(range(count), 10))).toEqual([0, 0, 0, 1, 1, 2]);
});

it.each([
  [1, 'U8'],
  [256, 'U8'],
  [257, 'U16'],
  [65_536, 'U16'],
  [65_537, 'U32'],
])('keeps ids below %i as %s', (size, type) => {
  expect(idTypeFor(size)).toBe(type);
});
