import type { HalfFormat } from '../ops/halves';

/** WGSL: the float32 of 16 bits that fill the lower half of a word. */
const DECODE: Readonly<Record<HalfFormat, string>> = {
  bfloat16: 'fn floatOf(half: u32) -> f32 { return bitcast<f32>(half << 16u); }',
  // By whole numbers: a device may take subnormal halves for 0. They are (1 + n / 1024) · 2⁻¹⁴ − 2⁻¹⁴.
  float16: `
fn floatOf(half: u32) -> f32 {
  let size = half & 0x7fffu;
  let isSmall = size < 0x400u;
  let bias = select(select(0x38000000u, 0x70000000u, size >= 0x7c00u), 0x38800000u, isSmall);
  let value = bitcast<f32>((size << 13u) + bias) - select(0.0, 0x1p-14f, isSmall);
  return bitcast<f32>(bitcast<u32>(value) | ((half & 0x8000u) << 16u));
}`,
};

/**
 * WGSL of `<name>Value(i)`, element i of an array that is float32 or kept in 16 bits, two in a word; and of `<name>Pair(i)`,
 * its elements 2i and 2i + 1. Exact, since every value of 16 bits is a float32, and without `shader-f16`.
 */
export const readers = (name: string, format: HalfFormat | undefined): string =>
  format
    ? `${DECODE[format]}
fn ${name}Value(i: i32) -> f32 { return floatOf((bitcast<u32>(${name}[i >> 1u]) >> (u32(i & 1) * 16u)) & 0xffffu); }
fn ${name}Pair(i: i32) -> vec2<f32> {
  let word = bitcast<u32>(${name}[i]);
  return vec2<f32>(floatOf(word & 0xffffu), floatOf(word >> 16u));
}`
    : `
fn ${name}Value(i: i32) -> f32 { return ${name}[i]; }
fn ${name}Pair(i: i32) -> vec2<f32> { return vec2<f32>(${name}[2 * i], ${name}[2 * i + 1]); }`;

/** Bits of 16-bit floats as words of 32 bits, the last one filled up; the same memory where it can be. */
export function wordsOfHalves(bits: Uint16Array): Int32Array {
  if (bits.length % 2 === 0 && bits.byteOffset % 4 === 0)
    return new Int32Array(bits.buffer, bits.byteOffset, bits.length / 2);
  const words = new Int32Array(Math.ceil(bits.length / 2));
  new Uint16Array(words.buffer).set(bits);
  return words;
}
