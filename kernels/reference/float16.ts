/** By the definition of IEEE 754. */
export function float16Value(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** The bits of a float16 near a number; small ones become subnormal. */
export function float16Of(value: number): number {
  const size = Math.abs(value) < 0.1 ? Math.abs(value) * 2 ** -14 : Math.abs(value);
  let bits = 0;
  for (let step = 0x4000; step > 0; step >>= 1)
    if (bits + step < 0x7c00 && float16Value(bits + step) <= size) bits += step;
  return value < 0 ? bits | 0x8000 : bits;
}
