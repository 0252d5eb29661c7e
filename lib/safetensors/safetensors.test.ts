import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '@/lib/input-error';
import { decodeSafetensors, encodeSafetensors } from '.';

/** A body from a header written by hand. */
function handmade(header: unknown, data: Uint8Array): ArrayBuffer {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const body = new Uint8Array(8 + json.length + data.length);
  new DataView(body.buffer).setBigUint64(0, BigInt(json.length), true);
  body.set(json, 8);
  body.set(data, 8 + json.length);
  return body.buffer;
}

describe('encodeSafetensors', () => {
  it('is read back exactly, metadata and mixed types included', () => {
    const body = encodeSafetensors(
      {
        flags: { shape: [3], data: Uint8Array.of(1, 2, 3) },
        map: { shape: [2, 2], data: Float32Array.of(1.5, -0, 1e-12, Number.NaN) },
        ids: { shape: [1, 3], data: Int32Array.of(-1, 0, 2 ** 31 - 1) },
      },
      { form: 's6' },
    );
    const { tensors, metadata } = decodeSafetensors(body.buffer);
    expect(metadata).toEqual({ form: 's6' });
    expect(tensors.get('map')).toEqual({ shape: [2, 2], data: Float32Array.of(1.5, -0, 1e-12, Number.NaN) });
    expect(tensors.get('ids')?.data).toEqual(Int32Array.of(-1, 0, 2 ** 31 - 1));
    expect(tensors.get('flags')?.data).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('puts data where a reader needs no copy', () => {
    const body = encodeSafetensors({
      odd: { shape: [1], data: Uint8Array.of(7) },
      map: { shape: [2], data: Float32Array.of(1, 2) },
    });
    expect(decodeSafetensors(body.buffer).tensors.get('map')?.data.buffer).toBe(body.buffer);
  });

  it('refuses a shape that does not fit', () => {
    expect(() => encodeSafetensors({ map: { shape: [3], data: new Float32Array(2) } })).toThrow(/2 elements/);
  });
});

describe('decodeSafetensors', () => {
  it('widens half precision', () => {
    const values = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555).buffer);
    const body = handmade({ x: { dtype: 'F16', shape: [5], data_offsets: [0, 10] } }, values);
    const data = decodeSafetensors(body).tensors.get('x')?.data as Float32Array;
    expect([...data.subarray(0, 4)]).toEqual([1, -2, 2 ** -24, Number.POSITIVE_INFINITY]);
    expect(data[4]).toBeCloseTo(1 / 3, 3);
  });

  it('reads data at an odd address', () => {
    const values = new Uint8Array(Float32Array.of(3, 4).buffer);
    for (const name of ['a', 'ab', 'abc', 'abcd']) {
      const body = handmade({ [name]: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, values);
      expect(decodeSafetensors(body).tensors.get(name)?.data).toEqual(Float32Array.of(3, 4));
    }
  });

  it('refuses what does not fit, and never reads past the end', () => {
    const header = (entry: object) =>
      handmade({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...entry } }, new Uint8Array(8));
    expect(() => decodeSafetensors(header({}))).not.toThrow();
    expect(() => decodeSafetensors(header({ shape: [3] }))).toThrow(/needs 12 bytes but is given 8/);
    expect(() => decodeSafetensors(header({ data_offsets: [4, 12] }))).toThrow(/leaves a gap/);
    expect(() => decodeSafetensors(header({ dtype: 'Q4' }))).toThrow(/unknown dtype/);
    expect(() => decodeSafetensors(header({ shape: [-2] }))).toThrow(/shape/);
    expect(() => decodeSafetensors(new ArrayBuffer(4))).toThrow(/only 4 bytes/);
    expect(() => decodeSafetensors(header({}).slice(0, 30))).toThrow(/cut short/);
  });

  it('refuses a type that no answer has', () => {
    const wide = { x: { dtype: 'F64', shape: [1], data_offsets: [0, 8] } };
    expect(() => decodeSafetensors(handmade(wide, new Uint8Array(8)))).toThrow(/holds F64 values/);
  });

  it('survives any bytes with an InputError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const body = Uint8Array.from(bytes);
        if (body.length >= 8) body.fill(0, 2, 8);
        try {
          decodeSafetensors(body.buffer);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).toMatch(/The (header of the )?answer/i);
        }
      }),
    );
  });
});
