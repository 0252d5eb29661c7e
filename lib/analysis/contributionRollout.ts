import * as tf from '@tensorflow/tfjs';
import { valuesOf } from './blockForm';
import { heldMixer, wholeOf } from './contributions';
import { type NormProgress, stripWidth } from './normForm';
import type { Operator } from './operator';
import type { BlockCache } from './s6Inputs';
import { tidied } from './tidied';

/** How a part of a vector is measured: by its length, or by how much nearer it brings the whole. */
export type ShareMeasure = 'norm' | 'alti';

/**
 * What of the residual stream behind a block comes from the stream before it, by token: rows that are not negative and add
 * up to 1, so that products over layers are shares again. With t_ij = c_ij + [i = j] h_i, c_ij of the form `norm`
 * (equations C4), h_i what enters the block, and h′_i what leaves it:
 *
 *     norm   ‖t_ij‖₂                                         (Kobayashi et al., arXiv 2109.07152)
 *     alti   max(0, ‖h′_i‖₁ − ‖h′_i − t_ij‖₁)                (Ferrando et al., arXiv 2203.04212)
 *
 * each divided by its sum over j. Biases belong to no token; a row of which nothing is near is its own token's.
 * Yields after every strip of sources. Cost: that of the form `norm`, with what has decayed. Memory: a strip of at most 16
 * sources, every channel and every value of the residual stream.
 * @param stream what enters the block, [L,d]
 */
export function* shareSteps(
  cache: BlockCache,
  operator: Operator,
  stream: Float32Array,
  measure: ShareMeasure,
): Generator<NormProgress, Float32Array, void> {
  const { d } = operator;
  const L = stream.length / d;
  const terms = wholeOf(operator).map(({ mixer, weight }) => {
    const held = heldMixer(cache, operator, mixer);
    return { held, weight: tf.tensor2d(weight, [d, held.E]) };
  });
  const before = tf.tensor2d(stream, [L, d]);
  const after = tf.tidy(() => before.add<tf.Tensor2D>(tf.tensor2d(cache.out, [L, d])));
  try {
    const shares = new Float32Array(L * L);
    const width = stripWidth(L, Math.max(d, ...terms.map(({ weight }) => weight.shape[1])));
    for (let first = 0; first < L; first += width) {
      const count = Math.min(width, L - first);
      const rows = L - first;
      const sizes = tidied(() => {
        const parts = terms.map(({ held, weight }) => {
          const columns = held.columns({ first, count });
          return tf.matMul(columns.reshape([columns.shape[0], rows * count]), weight, true, true);
        });
        const given = parts.length > 0 ? tf.addN(parts) : tf.zeros([rows * count, d]);
        const read = given.reshape<tf.Tensor3D>([rows, count, d]);
        return valuesOf(
          sizesOf(withOwn(read, before.slice([first, 0], [count, d])), after.slice([first, 0], [rows, d]), measure),
        );
      });
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < count && c <= r; c++) shares[(first + r) * L + first + c] = sizes[r * count + c];
      const left = L - first - count;
      yield { done: (L * (L + 1) - left * (left + 1)) / 2, total: (L * (L + 1)) / 2 };
    }
    return divided(shares, L);
  } finally {
    for (const { held, weight } of terms) {
      held.dispose();
      weight.dispose();
    }
    tf.dispose([before, after]);
  }
}

/** Adds to the reads [rows,count,d] of a strip what its own tokens bring along by themselves [count,d]. */
function withOwn(read: tf.Tensor3D, own: tf.Tensor2D): tf.Tensor3D {
  const [rows, count, d] = read.shape;
  const diagonal = tf
    .eye(count)
    .reshape([count, count, 1])
    .mul(own.reshape([count, 1, d]));
  const first = read.slice([0, 0, 0], [count, count, d]).add<tf.Tensor3D>(diagonal);
  return rows === count ? first : tf.concat([first, read.slice([count, 0, 0], [rows - count, count, d])], 0);
}

/** @param parts [rows,count,d] @param whole [rows,d] @returns [rows,count] */
function sizesOf(parts: tf.Tensor3D, whole: tf.Tensor2D, measure: ShareMeasure): tf.Tensor2D {
  if (measure === 'norm') return tf.sqrt(tf.sum<tf.Tensor2D>(tf.square(parts), 2));
  const output = whole.expandDims<tf.Tensor3D>(1);
  return tf.relu(tf.sum<tf.Tensor2D>(tf.abs(output).sub(tf.abs(output.sub(parts))), 2));
}

function divided(shares: Float32Array, L: number): Float32Array {
  for (let i = 0; i < L; i++) {
    const row = shares.subarray(i * L, (i + 1) * L);
    const sum = row.reduce((total, value) => total + value, 0);
    if (sum === 0) row[i] = 1;
    else for (let j = 0; j <= i; j++) row[j] /= sum;
  }
  return shares;
}
