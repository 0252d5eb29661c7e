import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch } from '../program';
import { sizeOf } from '../shapes';
import { gateUniforms, NORM_THREADS, type Norm, normPrelude } from './rms-norm';

const code = (gated: boolean) => `${normPrelude(gated)}
fn main(index: i32) {
  let width = uniforms.E / uniforms.groups;
  let start = startOf(index, width);
  let r = inverseRms(start, width);
  var dot = 0.0;
  if (start >= 0) {
    for (var i = i32(localIndex); i < width; i += ${NORM_THREADS}) {
      dot += input(start + i) * weight[start % uniforms.E + i] * dy[start + i];
    }
  }
  let shrink = r * r * total(array(dot))[0] / f32(width);
  if (start < 0) { return; }
  for (var i = i32(localIndex); i < width; i += ${NORM_THREADS}) {
    let at = start + i;
    let du = r * (weight[start % uniforms.E + i] * dy[at] - input(at) * shrink);
    ${
      gated
        ? `result[at] = du * siluOf(gate[at]);
    result[uniforms.count + at] = du * x[at] * siluSlope(gate[at]);`
        : 'result[at] = du;'
    }
  }
  if (localIndex == 0u) { result[uniforms.count * ${gated ? 2 : 1} + start / width] = r; }
}`;

/**
 * dx, dgate where there is a gate, and the inverse roots [rows, groups], one after the other in one array.
 * Floor: 12 bytes of traffic per element, 20 with a gate.
 */
export function rmsNormGrad(backend: Backend, norm: Norm, dy: tf.TensorInfo): tf.TensorInfo {
  const { x, weight, gate, groups, epsilon } = norm;
  const E = weight.shape[0];
  const count = sizeOf(x.shape);
  const units = (count / E) * groups;
  return dispatch(backend, {
    name: 'rms norm grad',
    inputs: { x, weight, gate, dy },
    output: [count * (gate ? 2 : 1) + units],
    uniforms: { E, groups, units, count, ...gateUniforms(norm) },
    floats: { epsilon },
    threads: NORM_THREADS,
    reduces: { total: 1 },
    groups: [units],
    code: code(gate !== undefined),
  });
}
