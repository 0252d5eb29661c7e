import { describe, expect, it } from 'vitest';
import { floatToHalf, halfToFloat, toBfloat16, toFloat32 } from './dtype';

describe('half precision', () => {
  it.each([
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 1023 * 2 ** -24],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
  ])('%i is %f', (bits, value) => {
    expect(halfToFloat(bits)).toBe(value);
    expect(floatToHalf(value)).toBe(bits);
  });

  it('keeps every value through a round trip', () => {
    const changed = Array.from({ length: 65536 }, (_, bits) => bits).filter((bits) => {
      const value = halfToFloat(bits);
      return !Number.isNaN(value) && floatToHalf(value) !== bits;
    });
    expect(changed).toEqual([]);
  });

  it('rounds to the nearest, ties to even', () => {
    expect(floatToHalf(1 + 2 ** -11)).toBe(0x3c00);
    expect(floatToHalf(1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(floatToHalf(1 + 2 ** -11 + 2 ** -20)).toBe(0x3c01);
    expect(floatToHalf(2 - 2 ** -12)).toBe(0x4000);
    expect(floatToHalf(2 ** -25)).toBe(0);
    expect(floatToHalf(1.5 * 2 ** -24)).toBe(2);
    expect(floatToHalf(65519)).toBe(0x7bff);
    expect(floatToHalf(65520)).toBe(0x7c00);
    expect(Object.is(halfToFloat(floatToHalf(-0)), -0)).toBe(true);
    expect(Number.isNaN(halfToFloat(floatToHalf(Number.NaN)))).toBe(true);
  });
});

describe('bfloat16', () => {
  const bits = (value: number) => toBfloat16(Float32Array.of(value))[0];

  it('rounds to the nearest, ties to even', () => {
    expect(bits(1)).toBe(0x3f80);
    expect(bits(1 + 2 ** -8)).toBe(0x3f80);
    expect(bits(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(bits(-(1 + 2 ** -8 + 2 ** -20))).toBe(0xbf81);
    expect(bits(3.4e38)).toBe(0x7f80);
    expect(bits(Number.NEGATIVE_INFINITY)).toBe(0xff80);
  });

  it('keeps what is not a number so', () => {
    const payload = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff).buffer);
    expect([...toBfloat16(payload)]).toEqual([0x7fc0, 0xffff]);
    expect(toFloat32(new Uint8Array(toBfloat16(payload).buffer), 'BF16')).toEqual(Float32Array.of(NaN, NaN));
  });
});

it('reads elements at any position in memory', () => {
  const bytes = new Uint8Array(9);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -3).buffer), 1);
  expect(toFloat32(bytes.subarray(1), 'F32')).toEqual(Float32Array.of(1.5, -3));
});
