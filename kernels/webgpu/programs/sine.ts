import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { sizeOf } from '../shapes';

const THREADS = 128;

/**
 * Whole quarters of a turn are taken off in three parts of π/2, of few bits each, so that their multiples are exact; what is
 * left, at most π/4, goes into the polynomials of Cephes (S. Moshier, sinf.c).
 */
const CODE = `
fn sineOf(x: f32, ahead: i32) -> f32 {
  let quarters = round(x * 0.63661977);
  let r = ((x - quarters * 1.5703125) - quarters * 4.8375129699707031e-4) - quarters * 7.5497899548918822e-8;
  let z = r * r;
  let sine = r + r * z * ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1);
  let cosine = 1.0 - 0.5 * z + z * z * ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2);
  let quarter = i32(quarters) + ahead;
  let size = select(sine, cosine, (quarter & 1) == 1);
  return select(size, -size, (quarter & 2) == 2);
}
fn main(index: i32) {
  if (index < uniforms.count) { result[index] = sineOf(x[index], uniforms.ahead); }
}`;

/**
 * sin(x + ahead · π/2), to 1e-6 for |x| below 10⁵: WGSL's own sine may be off by 2⁻¹¹, and by anything beyond π.
 * Floor: 8 bytes of traffic per element.
 */
export function sine(backend: Backend, x: tf.TensorInfo, ahead: 0 | 1): tf.TensorInfo {
  const count = sizeOf(x.shape);
  return dispatch(backend, {
    name: 'sine',
    inputs: { x },
    output: x.shape,
    uniforms: { count, ahead },
    threads: THREADS,
    groups: [groupsFor(count, THREADS)],
    code: CODE,
  });
}
