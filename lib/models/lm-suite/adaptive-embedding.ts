import * as tf from '@tensorflow/tfjs';
import type { Weights } from '@/lib/architectures/weights';
import { inverseOf, permuteRows, sortByCluster, tablesOf } from './clusters';
import type { LmSuiteConfig } from './config';
import type { Dropout } from './dropout';

/**
 * Adaptive embedding (Baevski & Auli, arXiv 1809.10853, as Transformer-XL has it): M token ids → [M,d].
 *
 *     √d · P_i dropout(table_i[id − first_i])      i the cluster of the token; no P where divVal is 1
 *
 * `w` is scoped to `encoder`. Cost O(M d) and one [tokens of i, width_i] × [width_i, d] product a cluster.
 */
export function adaptiveEmbedding(ids: Int32Array, config: LmSuiteConfig, w: Weights, drop: Dropout): tf.Tensor2D {
  const tables = tablesOf(config);
  const sorted = sortByCluster(ids, tables);
  const pieces = sorted.ids.flatMap((members, i) => {
    if (members.length === 0) return [];
    const rows = tf.tensor1d(
      members.map((id) => id - tables[i].from),
      'int32',
    );
    const vectors = tf.gather(w(`emb_layers.${i}.weight`), rows) as tf.Tensor2D;
    const dropped = drop(vectors, config.dropout.embedding, `embedding ${i}`);
    return [w.has(`emb_projs.${i}`) ? tf.matMul(dropped, w(`emb_projs.${i}`), false, true) : dropped];
  });
  const embedded = pieces.length === 1 ? pieces[0] : tf.concat(pieces, 0);
  return permuteRows(embedded as tf.Tensor2D, inverseOf(sorted.order)).mul(Math.sqrt(config.d));
}
