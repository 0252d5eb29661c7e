import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeElements, encodeSafetensors } from '@/lib/safetensors';
import { memorySource } from './files';
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from './safetensors';
import { InputError } from './types';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'statescope-safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

const header = (bytes: Uint8Array) => readSafetensorsHeader(memorySource(bytes, 'model.safetensors'));

/** A file with any header text and so many bytes of data. */
function fileOf(text: string, dataBytes: number, claimed?: number): Uint8Array {
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(claimed ?? json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const two = (a: object, b: object, bytes = 16) => fileOf(JSON.stringify({ a, b }), bytes);
const vector = (start: number, end: number, shape: unknown = [2], dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [start, end],
});

describe('writing and reading', () => {
  it('gives back every bit, NaN payloads and infinities included', async () => {
    const path = join(folder, 'round.safetensors');
    const bits = fc.array(fc.integer(), { maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.string().filter((name) => name !== '__metadata__'),
          bits,
        ),
        async (tensors) => {
          const output = Object.entries(tensors).map(([name, values]) => {
            const data = new Float32Array(Int32Array.from(values).buffer);
            return { name, shape: [1, values.length], data };
          });
          await writeSafetensors(path, output, { model: 'x' });
          const read = await readSafetensors(path);
          expect(new Set(read.keys())).toEqual(new Set(Object.keys(tensors)));
          for (const [name, values] of Object.entries(tensors)) {
            const got = read.get(name);
            expect(got?.shape).toEqual([1, values.length]);
            const data = got?.data as Float32Array;
            expect(Array.from(new Int32Array(data.buffer, data.byteOffset, data.length))).toEqual(values);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('writes F32, I32 and F16 on multiples of their sizes and keeps the metadata', async () => {
    const bytes = encodeSafetensors(
      [
        { name: 'half', shape: [3], data: Float32Array.of(1, -2.5, 1 / 3), type: 'F16' },
        { name: 'whole', shape: [2], data: Int32Array.of(7, -9) },
        { name: 'full', shape: [], data: Float32Array.of(Math.PI) },
        { name: '__proto__', shape: [1], data: Float32Array.of(4) },
      ],
      { command: 'run' },
    );
    const { entries, metadata } = await header(bytes);
    expect(metadata).toEqual({ command: 'run' });
    expect([...entries.values()].map(({ name, type, start }) => [name, type, start % 4])).toEqual([
      ['whole', 'I32', 0],
      ['full', 'F32', 0],
      ['__proto__', 'F32', 0],
      ['half', 'F16', 0],
    ]);
    const path = join(folder, 'mixed.safetensors');
    await writeFile(path, bytes);
    const read = await readSafetensors(path);
    expect(read.get('half')?.data).toEqual(Float32Array.of(1, -2.5, 0.333251953125));
    expect(read.get('whole')?.data).toEqual(Int32Array.of(7, -9));
    expect(read.get('full')?.data).toEqual(Float32Array.of(Math.PI));
  });

  it('refuses a shape that does not hold the data and a name used twice', () => {
    const data = Float32Array.of(1, 2);
    expect(() => encodeSafetensors([{ name: 'a', shape: [3], data }])).toThrow(/shape \[3\]/);
    const a = { name: 'a', shape: [2], data };
    expect(() => encodeSafetensors([a, a])).toThrow(/twice/);
  });
});

it('decodes every element type that it knows', () => {
  const raw = (array: ArrayBufferView<ArrayBuffer>) => new Uint8Array(array.buffer);
  expect(decodeElements(raw(Float64Array.of(1e300)), 'F64', 'x')).toEqual(Float64Array.of(1e300));
  expect(decodeElements(raw(BigInt64Array.of(-5n)), 'I64', 'x')).toEqual(BigInt64Array.of(-5n));
  expect(decodeElements(raw(Uint16Array.of(0x3f80, 0x7f80)), 'BF16', 'x')).toEqual(Float32Array.of(1, Infinity));
  expect(decodeElements(Uint8Array.of(0, 1), 'BOOL', 'x')).toEqual(Uint8Array.of(0, 1));
  expect(() => decodeElements(raw(Uint16Array.of(1)), 'U16', 'x')).toThrow(InputError);
});

describe('headers that must be refused', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['empty file', new Uint8Array(0), /only 0 bytes/],
    ['length beyond the file', fileOf('{}', 0, 1000), /cut short/],
    ['absurd length', fileOf('{}', 0, 2 ** 52), /claims to be/],
    ['not JSON', fileOf('{"a":', 0), /not JSON/],
    [
      'not UTF-8',
      (() => {
        const b = fileOf('{"aa":1}', 0);
        b[11] = 0xff;
        return b;
      })(),
      /not JSON/,
    ],
    ['a list', fileOf('[]', 0), /not a JSON object/],
    [
      'a tensor that is named twice',
      fileOf(`{"a":${JSON.stringify(vector(0, 8))} , "\\u0061" : ${JSON.stringify(vector(0, 8))}}`, 8),
      /names "a" twice/,
    ],
    [
      'a shape that is given twice',
      fileOf('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4),
      /names "shape" twice/,
    ],
    ['metadata that is given twice', fileOf('{"__metadata__":{"a\\"":"{","a\\"":"\\\\"}}', 0), /names "a\\"" twice/],
    ['metadata that is not text', fileOf('{"__metadata__":{"a":1}}', 0), /metadata/],
    ['a tensor that is a number', fileOf('{"a":1}', 0), /no description/],
    ['unknown dtype', two(vector(0, 8, [2], 'F31'), vector(8, 16)), /unknown dtype/],
    ['inherited dtype', two(vector(0, 8, [2], 'constructor'), vector(8, 16)), /unknown dtype/],
    ['negative size', two(vector(0, 8, [-2]), vector(8, 16)), /not a list of sizes/],
    ['fractional size', two(vector(0, 8, [0.5, 4]), vector(8, 16)), /not a list of sizes/],
    ['size overflow', two(vector(0, 8, [2 ** 40, 2 ** 40]), vector(8, 16)), /needs .* bytes/],
    ['size against range', two(vector(0, 12), vector(12, 16, [1])), /needs 8 bytes but is given 12/],
    ['range backwards', two(vector(8, 0), vector(8, 16)), /needs 8 bytes but is given -8/],
    ['three offsets', two({ ...vector(0, 8), data_offsets: [0, 8, 9] }, vector(8, 16)), /two positions/],
    ['overlap', two(vector(0, 8), vector(4, 12), 12), /b overlaps the tensor a/],
    ['gap', two(vector(0, 8), vector(12, 20), 20), /b leaves a gap after the tensor a/],
    ['cut data', two(vector(0, 8), vector(8, 16), 15), /cut short/],
    ['bytes after the end', two(vector(0, 8), vector(8, 16), 17), /1 bytes after/],
  ])('%s', async (_, bytes, message) => {
    const failure = await header(bytes).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InputError);
    expect((failure as InputError).message).toMatch(message);
  });

  it('is an InputError or a header inside the file, whatever bytes are changed', async () => {
    const whole = two(vector(0, 8), vector(8, 16, [1, 2]));
    const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(edits, async (changes) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const source = memorySource(bytes, 'x');
          const { entries } = await readSafetensorsHeader(source);
          for (const { start, end } of entries.values()) {
            expect(start).toBeGreaterThanOrEqual(8);
            expect((await source.read(start, end - start)).length).toBe(end - start);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

it('reads a file on disk that is cut short as one sentence', async () => {
  const path = join(folder, 'cut.safetensors');
  await writeFile(path, encodeSafetensors([{ name: 'a', shape: [4], data: new Float32Array(4) }]).slice(0, -3));
  await expect(readSafetensors(path)).rejects.toThrow(/cut\.safetensors is cut short/);
  await expect(readSafetensors(join(folder, 'none.safetensors'))).rejects.toThrow(/cannot be opened/);
  await expect(readSafetensors(folder)).rejects.toThrow(/not a file/);
});
