import * as tf from '@tensorflow/tfjs';
import { causalConv1d } from './causal-conv1d';
import { selectiveScanWithState } from './selective-scan';
import { ssdScanWithState } from './ssd-scan';
import { requireDivisor, requireRank, requireShape } from './validate';

/** A scan and what stands before it, of one sequence of L tokens; SSD with H heads and G groups in brackets. */
export interface SourceRowTensors {
  /** Before the convolution [L,E]. */
  readonly x: tf.Tensor2D;
  /** Of the convolution [E,1,K]. */
  readonly weight: tf.Tensor3D;
  /** [E] */
  readonly bias?: tf.Tensor1D;
  /** What the scan's output is multiplied by at the last token [E]. */
  readonly scale: tf.Tensor1D;
  /** [L,E], of SSD [L,H] */
  readonly delta: tf.Tensor2D;
  /** [E,N], of SSD [H] */
  readonly A: tf.Tensor;
  /** [L,N], of SSD [L,G,N] */
  readonly B: tf.Tensor;
  /** Of the last token: [N], of SSD [G,N]. */
  readonly C: tf.Tensor;
  /** [E], of SSD [H] */
  readonly D: tf.Tensor1D;
}

/** What makes up a scan's output at the last token. */
export interface SourceRow {
  /** By source token [L,E]. */
  readonly sources: tf.Tensor2D;
  /** Of no token, from the convolution's bias [1,E]; absent where it has none. */
  readonly free?: tf.Tensor2D;
}

/**
 * One row of the whole-block map (equations C2, C3) times x: with c = conv(x) + bias, and all that depends on data held at
 * its value,
 *
 *     t_k = (α[L−1,k] + D [k = L−1]) σ(c_k),   sources_j = scale ⊙ x_j ⊙ Σ_m weight[:,K−1−m] t_{j+m},   free = scale ⊙ bias ⊙ Σ_k t_k
 *
 * sources and free add up to the scan's output at the last token times `scale`. Devices without a kernel run the scan
 * backwards in time: with S = C and S ← exp(Δ_k A) S on the way from k to k − 1, α[L−1,k] = Δ_k B_k·S; the row of a causal
 * convolution is that convolution, backwards too. No gradient. Cost: one exponential and 3 operations for each of the
 * L·E·N states of an S6 scan, L·(G·N + H) of SSD, and 4·L·E·K for the convolutions.
 *
 * @param softplus Δ = softplus(delta), not delta itself
 * @throws OperandError where shapes do not fit.
 */
export function sourceRow(tensors: SourceRowTensors, { softplus = false } = {}): SourceRow {
  const ssd = check(tensors);
  const kernel = ssd ? 'SsdRow' : 'S6Row';
  if (!tf.getKernel(kernel, tf.getBackend())) return composed(tensors, softplus);
  const { bias, ...needed } = tensors;
  const delta = ssd && softplus ? tf.softplus(tensors.delta) : tensors.delta;
  const inputs = { ...needed, delta, ...(bias && { bias }) } as unknown as tf.NamedTensorMap;
  const [sources, free] = tf.engine().runKernel(kernel, inputs, { softplus }) as tf.Tensor2D[];
  return { sources, free };
}

/** True for SSD. */
function check({ x, weight, bias, scale, delta, A, B, C, D }: SourceRowTensors): boolean {
  const op = 'sourceRow';
  const [L, E] = requireRank(op, 'x', x, 'L,E');
  const K = requireRank(op, 'weight', weight, 'E,1,K')[2];
  requireShape(op, 'weight', weight, 'E,1,K', [E, 1, K]);
  if (bias) requireShape(op, 'bias', bias, 'E', [E]);
  requireShape(op, 'scale', scale, 'E', [E]);
  if (A.rank === 2) {
    const N = A.shape[1] as number;
    requireShape(op, 'delta', delta, 'L,E', [L, E]);
    requireShape(op, 'A', A, 'E,N', [E, N]);
    requireShape(op, 'B', B, 'L,N', [L, N]);
    requireShape(op, 'C', C, 'N', [N]);
    requireShape(op, 'D', D, 'E', [E]);
    return false;
  }
  const [H] = requireRank(op, 'A', A, 'H');
  const [, G, N] = requireRank(op, 'B', B, 'L,G,N');
  requireDivisor(op, 'H', H, E);
  requireDivisor(op, 'G', G, H);
  requireShape(op, 'delta', delta, 'L,H', [L, H]);
  requireShape(op, 'B', B, 'L,G,N', [L, G, N]);
  requireShape(op, 'C', C, 'G,N', [G, N]);
  requireShape(op, 'D', D, 'H', [H]);
  return true;
}

function composed(tensors: SourceRowTensors, softplus: boolean): SourceRow {
  const { x, weight, bias, scale } = tensors;
  const through = tf.tidy(() => {
    const one = x.expandDims<tf.Tensor3D>(0);
    const slope = backwards(tf.sigmoid(causalConv1d(one, weight, bias ?? null)).squeeze<tf.Tensor2D>([0]));
    return slope.mul<tf.Tensor2D>(readsBackwards(tensors, softplus));
  });
  const sources = tf.tidy(() => {
    const taken = causalConv1d(through.expandDims(0), weight, null).squeeze<tf.Tensor2D>([0]);
    return backwards(taken).mul<tf.Tensor2D>(x).mul<tf.Tensor2D>(scale);
  });
  const free =
    bias && tf.tidy(() => tf.sum<tf.Tensor2D>(through, 0, true).mul<tf.Tensor2D>(bias).mul<tf.Tensor2D>(scale));
  through.dispose();
  return { sources, free };
}

/** The rows from the last to the first. */
function backwards<T extends tf.Tensor>(rows: T): T {
  return tf.gather(rows, tf.range(rows.shape[0] - 1, -1, -1, 'int32'));
}

/** α[L−1,k] + D [k = L−1] from the last token back to the first [L,E]. */
function readsBackwards({ x, delta: given, A, B, C, D }: SourceRowTensors, softplus: boolean): tf.Tensor2D {
  const [L, E] = x.shape;
  const [, units] = given.shape;
  const delta = backwards(softplus ? tf.softplus(given) : given);
  // From the last token itself nothing has decayed yet; from the one before it, what the last one's Δ takes has.
  const elapsed = tf.concat([tf.zeros([1, units]), delta.slice([0, 0], [L - 1, units])], 0).expandDims(0);
  const scan = { delta: elapsed as tf.Tensor3D, B: tf.zeros([1, ...B.shape]), C: backwards(B).expandDims(0) };
  const reads =
    A.rank === 2
      ? selectiveScanWithState({
          delta: scan.delta,
          A: A as tf.Tensor2D,
          B: scan.B as tf.Tensor3D,
          C: scan.C as tf.Tensor3D,
          x: tf.zeros([1, L, E]),
          state: tf.tile(C.reshape([1, 1, C.size]), [1, E, 1]) as tf.Tensor3D,
        }).y
      : ssdScanWithState({
          delta: scan.delta,
          A: A as tf.Tensor1D,
          B: scan.B as tf.Tensor4D,
          C: scan.C as tf.Tensor4D,
          x: tf.zeros([1, L, units, 1]),
          state: tf
            .tile(C.expandDims(1), [1, units / C.shape[0], 1])
            .reshape<tf.Tensor4D>([1, units, 1, C.size / C.shape[0]]),
        }).y;
  const weighed = delta.mul(reads.reshape([L, units]));
  const own = weighed.slice([0, 0], [1, units]).add(D);
  const all = tf.concat([own, weighed.slice([1, 0], [L - 1, units])], 0) as tf.Tensor2D;
  return units === E ? all : tf.tile(all.expandDims(2), [1, 1, E / units]).reshape([L, E]);
}
