import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { alone, type Columns, columnUniforms } from '../columns';
import { type Backend, dispatch } from '../program';
import { sizeOf } from '../shapes';

export interface Norm {
  readonly x: tf.TensorInfo;
  readonly weight: tf.TensorInfo;
  readonly gate?: tf.TensorInfo;
  /** Where the gate lies; default an array of its own. */
  readonly gateColumns?: Columns;
  readonly groups: number;
  readonly epsilon: number;
}

export const NORM_THREADS = 128;

/** A workgroup has one group of channels of one row. */
export const normPrelude = (gated: boolean) => `${ACTIVATIONS}
${gated ? '// From an element of x to that of the gate.\nvar<private> toGate: i32;' : ''}
fn input(at: i32) -> f32 { return x[at]${gated ? ' * siluOf(gate[at + toGate])' : ''}; }
fn inverseRms(start: i32, width: i32) -> f32 {
  var square = 0.0;
  if (start >= 0) {
    for (var i = i32(localIndex); i < width; i += ${NORM_THREADS}) { let u = input(start + i); square += u * u; }
  }
  return inverseSqrt(total(array(square))[0] / f32(width) + uniforms.epsilon);
}
// First element of this workgroup's group of channels, or -1 for workgroups beyond the last.
fn startOf(index: i32, width: i32) -> i32 {
  let unit = index / ${NORM_THREADS};
  ${gated ? 'toGate = unit / uniforms.groups * (uniforms.gateStride - uniforms.E) + uniforms.gateOffset;' : ''}
  return select(-1, unit * width, unit < uniforms.units);
}`;

/** Uniforms that `startOf` reads where there is a gate. */
export const gateUniforms = ({ gate, gateColumns, weight }: Norm): Record<string, number> =>
  gate ? columnUniforms('gate', gateColumns ?? alone(weight.shape[0])) : {};

const code = (gated: boolean) => `${normPrelude(gated)}
fn main(index: i32) {
  let width = uniforms.E / uniforms.groups;
  let start = startOf(index, width);
  let r = inverseRms(start, width);
  if (start < 0) { return; }
  for (var i = i32(localIndex); i < width; i += ${NORM_THREADS}) {
    result[start + i] = input(start + i) * r * weight[start % uniforms.E + i];
  }
}`;

/** u · weight / sqrt(mean u² + ε) by row and group, u = x · SiLU(gate). Floor: 8 bytes of traffic per element, 12 with a gate. */
export function rmsNorm(backend: Backend, norm: Norm): tf.TensorInfo {
  const { x, weight, gate, groups, epsilon } = norm;
  const E = weight.shape[0];
  const units = (sizeOf(x.shape) / E) * groups;
  return dispatch(backend, {
    name: 'rms norm',
    inputs: { x, weight, gate },
    output: x.shape,
    parts: { gate: sizeOf(x.shape) },
    uniforms: { E, groups, units, ...gateUniforms(norm) },
    floats: { epsilon },
    threads: NORM_THREADS,
    reduces: { total: 1 },
    groups: [units],
    code: code(gate !== undefined),
  });
}
