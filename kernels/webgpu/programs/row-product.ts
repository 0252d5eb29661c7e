import type * as tf from '@tensorflow/tfjs';
import { alone, type Columns, columnAt, columnUniforms } from '../columns';
import { type Backend, dispatch } from '../program';

/** result[b,n] = Σ_k x[b,k] · weight[n,k] + bias[n] + residual[b,n], for few rows b. */
export interface RowProduct {
  readonly x: tf.TensorInfo;
  /** [N,K] */
  readonly weight: tf.TensorInfo;
  readonly bias?: tf.TensorInfo;
  /** An array of the result's shape. */
  readonly residual?: tf.TensorInfo;
  /** Where x [rows,K] lies; default an array of its own. */
  readonly columns?: Columns;
  readonly rows: number;
  readonly shape: readonly number[];
}

const THREADS = 64;

/** A thread's share of the sums: elements of the weight one by one, or two of 16 bits with a word. */
const sums = (pairs: boolean) =>
  pairs
    ? `for (var pair = me; pair < uniforms.K / 2; pair += ${THREADS}) {
    let w = weightPair(n * (uniforms.K / 2) + pair);
    for (var b = 0; b < rows; b++) {
      sum[b] += w.x * ${columnAt('x', 'b', '2 * pair')} + w.y * ${columnAt('x', 'b', '2 * pair + 1')};
    }
  }`
    : `for (var k = me; k < uniforms.K; k += ${THREADS}) {
    let w = weightValue(n * uniforms.K + k);
    for (var b = 0; b < rows; b++) { sum[b] += w * ${columnAt('x', 'b', 'k')}; }
  }`;

const code = ({ bias, residual }: RowProduct, pairs: boolean) => `
fn main(index: i32) {
  let n = i32(workgroupId.x);
  let me = i32(localIndex);
  var sum = array<f32, rows>();
  ${sums(pairs)}
  let sums = total(sum);
  if (me < rows) {
    let at = me * uniforms.N + n;
    result[at] = sums[me]${bias ? ' + bias[n]' : ''}${residual ? ' + residual[at]' : ''};
  }
}`;

/**
 * A projection of few rows. A workgroup reads one row of the weight, neighbouring threads neighbouring words.
 * Floor: 4 bytes of traffic per weight, 2 where it is kept in 16 bits.
 */
export function rowProduct(backend: Backend, what: RowProduct): tf.TensorInfo {
  const { x, weight, bias, residual, columns, rows, shape } = what;
  const [N, K] = weight.shape;
  const pairs = K % 2 === 0 && backend.halfFormat(weight) !== undefined;
  return dispatch(backend, {
    name: 'row product',
    inputs: { x, weight, bias, residual },
    weight: 'weight',
    output: shape,
    parts: { x: rows * K },
    constants: { rows, pairs },
    uniforms: { N, K, ...columnUniforms('x', columns ?? alone(K)) },
    threads: THREADS,
    reduces: { total: rows },
    groups: [N],
    code: code(what, pairs),
  });
}
