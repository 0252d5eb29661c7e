/** The upper half of the bits of a float32, rounded to the nearest bfloat16, ties to even; not a number stays none. */
export function bfloat16Bits(bits: number): number {
  const notANumber = (bits & 0x7fffffff) > 0x7f800000;
  return (notANumber ? bits | 0x400000 : bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
