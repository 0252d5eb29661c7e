import { type Real, siluOf, siluSlope } from './real';

/** SiLU(x) = x·σ(x), elementwise. */
export function silu(x: Real): Float64Array {
  return Float64Array.from(x, siluOf);
}

/** Gradient of {@link silu}: dx = dy · σ(x)(1 + x(1 − σ(x))). */
export function siluGrad(x: Real, dy: Real): Float64Array {
  return Float64Array.from(x, (value, i) => dy[i] * siluSlope(value));
}
