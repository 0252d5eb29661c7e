import { mkdir, mkdtemp, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { beforeEach, describe, expect, it } from 'vitest';
import { npzChunks, writeSafetensors } from '@/lib/checkpoint';
import { SPLITS } from './source';
import { openSource } from './sources';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ids-'));
});

const open = (path: string, fields: object = {}) =>
  openSource({
    source: 'ids',
    path,
    vocabulary: 1000,
    length: 10,
    order: 'stored',
    cache: join(folder, 'cache'),
    ...fields,
  });

/** An array as NumPy saves it: magic, version 1.0, a Python dict of 118 bytes, the elements. */
function npy(descr: string, shape: string, elements: ArrayBufferView, fortran = 'False'): Buffer {
  const dict = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`.padEnd(117);
  const head = Buffer.concat([Buffer.from([0x93]), Buffer.from('NUMPY'), Buffer.from([1, 0, 118, 0])]);
  return Buffer.concat([head, Buffer.from(`${dict}\n`), Buffer.from(elements.buffer)]);
}

const counted = Array.from({ length: 200 }, (_, i) => (i * 7) % 1000);

describe('ready-made ids', () => {
  it.each([
    ['<u2', Uint16Array.from(counted)],
    ['<i4', Int32Array.from(counted)],
    ['<i8', BigInt64Array.from(counted, BigInt)],
    ['<u4', Uint32Array.from(counted)],
  ])('reads %s of a .npy file row by row, divided in their order', async (descr, elements) => {
    const path = join(folder, 'a.npy');
    await writeFile(path, npy(descr, '10, 20', elements));
    const source = await open(path, { held_out: { validation: 0.1, test: 0.2 } });
    expect(SPLITS.map((split) => source.card.sizes[split]?.tokens)).toEqual([140, 20, 40]);
    expect([...source.row('train', 2).tokens]).toEqual(counted.slice(20, 31));
    expect([...source.row('validation', 0).tokens]).toEqual(counted.slice(140, 151));
    expect([...source.row('test', 3).tokens]).toEqual(counted.slice(160, 171));
    expect(source.row('test', 2)).toEqual({ tokens: Int32Array.from(counted.slice(180, 191)), answers: [] });
  });

  it('reads what NPZ archives of this project hold', async () => {
    const tensor = { name: 'ids', shape: [200], data: Int32Array.from(counted) };
    const archive = Buffer.concat([...npzChunks([tensor])]);
    const path = join(folder, 'b.npy');
    await writeFile(path, unzipSync(archive)['ids.npy']);
    expect([...(await open(path)).row('train', 1).tokens]).toEqual(counted.slice(10, 21));
  });

  it('reads a tensor of a safetensors file, and a file for each split', async () => {
    await mkdir(join(folder, 'd'));
    for (const [k, split] of SPLITS.entries())
      await writeSafetensors(join(folder, 'd', `${split}.safetensors`), [
        { name: 'other', shape: [3], data: Int32Array.of(k, k, k) },
        { name: 'ids', shape: [2, 20], data: Int32Array.from({ length: 40 }, (_, i) => 100 * k + i) },
      ]);
    const source = await open(join(folder, 'd'), { tensor: 'ids' });
    for (const [k, split] of SPLITS.entries()) {
      expect(source.card.sizes[split]).toEqual({ rows: 3, tokens: 40 });
      expect([...source.row(split, 1).tokens]).toEqual(Array.from({ length: 11 }, (_, i) => 100 * k + 10 + i));
    }
    await expect(open(join(folder, 'd'))).rejects.toThrow('has the tensors other, ids: say which');
    await expect(open(join(folder, 'd'), { tensor: 'no' })).rejects.toThrow('has no tensor "no"');
  });

  it.each([
    [npy('<f4', '200,', Float32Array.from(counted)), 'its elements are "<f4"'],
    [npy('>i4', '200,', Int32Array.from(counted)), 'its elements are ">i4"'],
    [npy('<i4', '10, 20', Int32Array.from(counted), 'True'), 'it is in Fortran order'],
    [npy('<i4', '300,', Int32Array.from(counted)), 'its header describes 1328 bytes and the file has 928'],
    [Buffer.from('not an array at all'), 'it is not of the .npy format'],
  ])('says why an array cannot be read (%#)', async (bytes, message) => {
    const path = join(folder, 'c.npy');
    await writeFile(path, bytes);
    await expect(open(path)).rejects.toThrow(message);
  });

  it('refuses ids outside the vocabulary, and a file that was cut after it was opened', async () => {
    const path = join(folder, 'e.npy');
    await writeFile(path, npy('<i4', '200,', Int32Array.from(counted)));
    const source = await open(path, { vocabulary: 500 });
    expect(() => source.row('train', 7)).toThrow(`Id 72 of ${path} is 504, and the vocabulary has 500`);
    await truncate(path, 200);
    expect(() => source.row('train', 3)).toThrow('has become shorter');
  });

  it('wants one file for each split', async () => {
    await mkdir(join(folder, 'd'));
    for (const name of ['train.npy', 'test.npy'])
      await writeFile(join(folder, 'd', name), npy('<i4', '200,', Int32Array.from(counted)));
    await expect(open(join(folder, 'd'))).rejects.toThrow('0 files of ids for validation');
  });
});
