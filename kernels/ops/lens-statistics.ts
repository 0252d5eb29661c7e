import * as tf from '@tensorflow/tfjs';
import { emptyLens, LENS_VALUES, type LensOutput, type LensValue, writeLensRow } from '../reference/lens-statistics';
import { requireIndex, requireRank, requireShape } from './validate';

export { LENS_VALUES, type LensValue };

/** Name under which a device may register a kernel that streams the vocabulary. */
const KERNEL = 'LensStatistics';

/** Values in one slab of logits on devices without a kernel of their own; two slabs are alive at a time. */
const SLAB = 2 ** 23;

export interface LensTensors {
  /** Normalised streams [S,C,d]; the last one is the final one, with which the others are compared. */
  readonly hidden: tf.Tensor3D;
  /** W_U [V,d] */
  readonly head: tf.Tensor2D;
}

export interface LensOptions {
  /** Token ids whose logits are wanted, the targets among them. */
  readonly ids: readonly number[];
  /** Place in `ids` of every position's target, [C]. */
  readonly targets: readonly number[];
  /** How many of the largest logits to name. */
  readonly topK?: number;
  /** Rows of the head that are tokens, from the first on; the others are padding and take no part. Default all. */
  readonly vocabulary?: number;
}

/** In memory of its own. */
export interface LensValues {
  /** [S,C,10], in the order of {@link LENS_VALUES}. */
  readonly statistics: Float32Array;
  /** Logits of `ids`, [S,C,U]. */
  readonly logits: Float32Array;
  /** The k largest logits and their ids, [S,C,k], largest first, equal ones by the smaller id. */
  readonly topValues: Float32Array;
  readonly topIds: Int32Array;
}

/**
 * Statistics of the logits z = hidden · headᵀ, streamed over the vocabulary: definitions at `lensStatistics` of
 * `kernels/reference`. A device without a kernel for it takes slabs of positions through `tf.matMul`; either way the
 * logits of all streams and positions never exist at once. NaN where a logit is not finite. No gradient.
 * Cost: 2·S·C·V·d operations.
 *
 * @throws OperandError where shapes, ids or targets do not fit.
 */
export function lensStatistics(tensors: LensTensors, options: LensOptions): LensValues {
  const op = 'lensStatistics';
  const [, C, d] = requireRank(op, 'hidden', tensors.hidden, 'S,C,d');
  const [V] = requireRank(op, 'head', tensors.head, 'V,d');
  requireShape(op, 'head', tensors.head, 'V,d', [V, d]);
  const { ids, targets, topK = 0, vocabulary = V } = options;
  requireIndex(op, 'vocabulary', vocabulary, V + 1);
  for (const id of ids) requireIndex(op, 'id', id, vocabulary);
  for (const slot of targets) requireIndex(op, 'target', slot, ids.length);
  requireIndex(op, 'number of targets', targets.length - C, 1);
  requireIndex(op, 'topK', topK, vocabulary + 1);
  return tf.getKernel(KERNEL, tf.getBackend())
    ? onDevice(tensors, { ids, targets, topK, vocabulary })
    : inSlabs(tensors, { ids, targets, topK, vocabulary });
}

function onDevice(
  { hidden, head }: LensTensors,
  { ids, targets, topK, vocabulary }: Required<LensOptions>,
): LensValues {
  const places = { ids: tf.tensor1d([...ids], 'int32'), targets: tf.tensor1d([...targets], 'int32') };
  const results = tf.engine().runKernel(KERNEL, { hidden, head, ...places }, { topK, vocabulary }) as tf.Tensor[];
  const [statistics, logits, topValues, topIds] = results.map((tensor) => tensor.dataSync().slice());
  tf.dispose([...results, ...Object.values(places)]);
  return {
    statistics: statistics as Float32Array,
    logits: logits as Float32Array,
    topValues: topValues as Float32Array,
    topIds: topIds as Int32Array,
  };
}

function inSlabs({ hidden, head }: LensTensors, { ids, targets, topK, vocabulary }: Required<LensOptions>): LensValues {
  const [S, C, d] = hidden.shape;
  const V = head.shape[0];
  const output = emptyLens(S * C, ids.length, topK);
  const places = Int32Array.from(ids);
  const positions = Math.max(1, Math.min(C, Math.floor(SLAB / V)));
  for (let begin = 0; begin < C; begin += positions) {
    const count = Math.min(positions, C - begin);
    const rowsOf = (stream: number) =>
      tf.tidy(() => {
        const slab = hidden.slice([stream, begin, 0], [1, count, d]).reshape([count, d]) as tf.Tensor2D;
        const logits = tf.matMul(slab, head, false, true).dataSync() as Float32Array;
        return Array.from({ length: count }, (_, k) => logits.slice(k * V, k * V + vocabulary));
      });
    const finals = rowsOf(S - 1);
    for (let stream = 0; stream < S; stream++)
      (stream === S - 1 ? finals : rowsOf(stream)).forEach((z, k) => {
        const c = begin + k;
        writeLensRow(output, stream * C + c, z, finals[k], places, targets[c], topK);
      });
  }
  return rounded(output);
}

const rounded = ({ statistics, logits, topValues, topIds }: LensOutput): LensValues => ({
  statistics: Float32Array.from(statistics),
  logits: Float32Array.from(logits),
  topValues: Float32Array.from(topValues),
  topIds: Int32Array.from(topIds),
});
