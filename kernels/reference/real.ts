/** Arrays that reference operations read: float32 as tensors hold them, or float64 where a test needs the precision. */
export type Real = Float32Array | Float64Array;

/** 1 / (1 + e^−x). */
export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** SiLU(x) = x·σ(x). */
export function siluOf(x: number): number {
  return x * sigmoid(x);
}

/** d SiLU / dx = σ(x)·(1 + x·(1 − σ(x))). */
export function siluSlope(x: number): number {
  const s = sigmoid(x);
  return s * (1 + x * (1 - s));
}

/** log(1 + e^x), exact for large |x|; its derivative is σ(x). */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
