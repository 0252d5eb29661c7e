import * as tf from '@tensorflow/tfjs';
import { crossEntropy } from '@/kernels/ops';
import type { Weights } from '@/lib/architectures/weights';
import { InputError } from '@/lib/checkpoint/types';
import { clustersOf, permuteRows, sortByCluster } from './clusters';
import type { LmSuiteConfig } from './config';
import type { Dropout } from './dropout';

/** The two things a softmax is asked for; rows are positions, [M,d]. */
export interface AdaptiveSoftmax {
  /**
   * ln p of every token, [M,V]; cost O(M V width). With divVal 1 and a vocabulary that ends before the cutoffs, the
   * empty clusters keep their share of the probability, as in training (equations E2).
   */
  logProbabilities(hidden: tf.Tensor2D): tf.Tensor2D;
  /**
   * Mean of −ln p(label) in nats over the rows whose label is not negative. Only the rows of a tail cluster go
   * through its logits. Differentiable.
   * @throws InputError when no row has a label
   */
  loss(hidden: tf.Tensor2D, labels: Int32Array): tf.Scalar;
}

/**
 * Adaptive softmax (Grave et al., arXiv 1609.04309, as Transformer-XL has it) over the embedding's word vectors:
 *
 *     p(token of cluster 0) = softmax_head(token)
 *     p(token of cluster i) = softmax_head(cluster i) · softmax_i(token)
 *     logits_i = W_i dropout(P_iᵀ h) + b_i      no P and no dropout where divVal is 1
 *
 * The head's rows are the tokens of cluster 0 and then one row a tail cluster, **the last cluster first**: cluster i
 * reads column −i, which is how the authors' checkpoints were trained.
 */
export function adaptiveSoftmax(config: LmSuiteConfig, weights: Weights, drop: Dropout): AdaptiveSoftmax {
  const clusters = clustersOf(config);
  const tails = clusters.length - 1;
  const shortlist = clusters[0].to;
  const headColumn = (i: number) => shortlist + tails - i;

  const project = (hidden: tf.Tensor2D, i: number): tf.Tensor2D => {
    const name = i === 0 ? 'loss.out_projs.0' : `encoder.emb_projs.${i}`;
    if (!weights.has(name)) return hidden;
    return drop(tf.matMul(hidden, weights(name) as tf.Tensor2D), config.dropout.softmax, `softmax ${i}`);
  };
  const rowsOf = <T extends tf.Tensor>(name: (i: number) => string, i: number): T => {
    if (config.divVal !== 1) return weights(name(i)) as T;
    const { from, to } = clusters[i];
    return weights(name(0)).slice([from], [to - from]) as T;
  };
  const vectors = (i: number) => rowsOf<tf.Tensor2D>((k) => `encoder.emb_layers.${k}.weight`, i);
  const biases = (i: number) => rowsOf<tf.Tensor1D>((k) => `loss.out_layers_biases.${k}`, i);

  const logits = (hidden: tf.Tensor2D, i: number): tf.Tensor2D => {
    const withTails = i === 0 && tails > 0;
    const W = withTails ? tf.concat([vectors(0), weights('loss.cluster_weight') as tf.Tensor2D], 0) : vectors(i);
    const b = withTails ? tf.concat([biases(0), weights('loss.cluster_bias') as tf.Tensor1D], 0) : biases(i);
    return tf.matMul(project(hidden, i), W, false, true).add(b);
  };

  return {
    logProbabilities(hidden) {
      const head = tf.logSoftmax(logits(hidden, 0));
      const pieces = [head.slice([0, 0], [-1, shortlist])];
      for (let i = 1; i <= tails; i++) {
        if (clusters[i].to === clusters[i].from) continue;
        pieces.push(tf.logSoftmax(logits(hidden, i)).add(head.slice([0, headColumn(i)], [-1, 1])));
      }
      return tf.concat(pieces, 1) as tf.Tensor2D;
    },

    loss(hidden, labels) {
      const { order, ids, count } = sortByCluster(labels, clusters);
      if (count === 0) throw new InputError('No position has a label: give at least one that is not negative.');
      const sorted = permuteRows(hidden, order);
      const headLabels = ids.flatMap((members, i) => Array.from(members, (id) => (i === 0 ? id : headColumn(i))));
      let loss = crossEntropy(logits(sorted.slice([0, 0], [count, -1]), 0), tf.tensor1d(headLabels, 'int32'));
      let first = ids[0].length;
      for (let i = 1; i <= tails; i++) {
        const members = ids[i];
        if (members.length === 0) continue;
        const rows = sorted.slice([first, 0], [members.length, -1]);
        const within = tf.tensor1d(
          members.map((id) => id - clusters[i].from),
          'int32',
        );
        loss = loss.add(crossEntropy(logits(rows, i), within).mul(members.length / count));
        first += members.length;
      }
      return loss;
    },
  };
}
