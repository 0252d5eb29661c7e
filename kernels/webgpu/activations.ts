/** WGSL functions that several programs share; stable for every finite argument. */
export const ACTIVATIONS = `
fn sigmoidOf(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}
fn siluOf(x: f32) -> f32 { return x * sigmoidOf(x); }
fn siluSlope(x: f32) -> f32 {
  let s = sigmoidOf(x);
  return s * (1.0 + x * (1.0 - s));
}
fn softplusOf(x: f32) -> f32 {
  let e = exp(-abs(x));
  // log(1 + e) loses e below the float32 epsilon.
  return max(x, 0.0) + select(log(1.0 + e), e * (1.0 - 0.5 * e), e < 1e-3);
}
`;
