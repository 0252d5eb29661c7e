import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { type Columns, columnAt, columnUniforms } from '../columns';
import { type Backend, dispatch, groupsFor } from '../program';

/** One token of a causal convolution over C channels. */
export interface ConvolutionStep {
  readonly x: tf.TensorInfo;
  /** Where the token's channels lie. */
  readonly columns: Columns;
  /** [C,1,K] */
  readonly weight: tf.TensorInfo;
  readonly bias?: tf.TensorInfo;
  /** The K−1 inputs before it [rows,K−1,C]; 0 where absent. */
  readonly past?: tf.TensorInfo;
  readonly rows: number;
}

/** `inputAt(b, k, e)`: the K inputs that end with this token. */
const inputs = ({ past }: ConvolutionStep) => `
fn inputAt(b: i32, k: i32, e: i32) -> f32 {
  if (k == K - 1) { return ${columnAt('x', 'b', 'e')}; }
  return ${past ? 'past[(b * (K - 1) + k) * uniforms.C + e]' : '0.0'};
}`;

const current = (step: ConvolutionStep) => `${ACTIVATIONS}${inputs(step)}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let e = index % uniforms.C;
  var sum = ${step.bias ? 'bias[e]' : '0.0'};
  for (var k = 0; k < K; k++) { sum += weight[e * K + k] * inputAt(index / uniforms.C, k, e); }
  result[index] = siluOf(sum);
}`;

const remembered = (step: ConvolutionStep) => `${inputs(step)}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let row = index / uniforms.C;
  result[index] = inputAt(row / (K - 1), row % (K - 1) + 1, index % uniforms.C);
}`;

function run(backend: Backend, step: ConvolutionStep, name: string, taps: number, weighted: boolean, code: string) {
  const { x, columns, weight, bias, past, rows } = step;
  const [C, , K] = weight.shape;
  const count = rows * taps * C;
  return dispatch(backend, {
    name,
    inputs: weighted ? { x, past, weight, bias } : { x, past },
    output: [rows, taps, C],
    parts: { x: rows * C },
    constants: { K },
    uniforms: { C, count, ...columnUniforms('x', columns) },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code,
  });
}

/** SiLU(conv) at this token [rows,1,C]. Floor: 4·(K + 1) bytes of traffic per channel. */
export const convolutionStep = (backend: Backend, step: ConvolutionStep): tf.TensorInfo =>
  run(backend, step, 'convolution step', 1, true, current(step));

/** The K−1 inputs before the next token [rows,K−1,C]. Floor: 8·(K − 1) bytes of traffic per channel. */
export const nextPast = (backend: Backend, step: ConvolutionStep): tf.TensorInfo =>
  run(backend, step, 'convolution past', step.weight.shape[2] - 1, false, remembered(step));
