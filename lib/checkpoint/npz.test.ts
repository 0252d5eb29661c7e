import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpz } from './npz';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'statescope-npz-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What numpy.load reads, by the published description of the .npy format. */
function parseNpy(bytes: Uint8Array): { descr: string; shape: number[]; data: Uint8Array } {
  expect(Array.from(bytes.slice(0, 8))).toEqual([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0]);
  const length = bytes[8] + 256 * bytes[9];
  expect((10 + length) % 64).toBe(0);
  const dict = new TextDecoder().decode(bytes.slice(10, 10 + length));
  expect(dict.endsWith('\n')).toBe(true);
  const match = /^\{'descr': '(.+)', 'fortran_order': False, 'shape': \((.*)\), \} *\n$/.exec(dict);
  const sizes = (match?.[2] ?? '').split(',').filter((size) => size.trim() !== '');
  return { descr: match?.[1] ?? '', shape: sizes.map(Number), data: bytes.slice(10 + length) };
}

describe.each([{ compress: false }, { compress: true }])('%j', (options) => {
  it('holds one .npy a tensor', async () => {
    const path = join(folder, `out-${options.compress}.npz`);
    await writeNpz(
      path,
      [
        { name: 'blocks.0.hook_y', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) },
        { name: 'tokens', shape: [2], data: Int32Array.of(5, -6) },
        { name: 'half', shape: [1], data: Float32Array.of(-2), type: 'F16' },
        { name: 'loss', shape: [], data: Float32Array.of(0.25) },
        { name: 'none', shape: [0, 4], data: new Float32Array(0) },
      ],
      options,
    );
    const files = unzipSync(new Uint8Array(await readFile(path)));
    const arrays = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, parseNpy(bytes)]));
    expect(Object.keys(arrays)).toEqual(['blocks.0.hook_y.npy', 'tokens.npy', 'half.npy', 'loss.npy', 'none.npy']);
    const y = arrays['blocks.0.hook_y.npy'];
    expect(y).toMatchObject({ descr: '<f4', shape: [2, 3] });
    expect(new Float32Array(y.data.buffer)).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6.5));
    expect(arrays['tokens.npy']).toMatchObject({ descr: '<i4', shape: [2] });
    expect(new Int32Array(arrays['tokens.npy'].data.buffer)).toEqual(Int32Array.of(5, -6));
    expect(arrays['half.npy']).toMatchObject({ descr: '<f2', shape: [1], data: Uint8Array.of(0x00, 0xc0) });
    expect(arrays['loss.npy']).toMatchObject({ shape: [], data: new Uint8Array(Float32Array.of(0.25).buffer) });
    expect(arrays['none.npy']).toMatchObject({ shape: [0, 4], data: new Uint8Array(0) });
  });
});
