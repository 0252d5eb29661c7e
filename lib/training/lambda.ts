import * as tf from '@tensorflow/tfjs';
import { lambdaOf } from '@/lib/architectures/equations/lambda';
import { weightsOf } from '@/lib/architectures/weights';
import { isDifferential } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';

/** λ of a differential block as it stands. */
export interface LambdaReport {
  readonly block: number;
  /** The mean, where λ is a vector. */
  readonly lambda: number;
  /** σ(·), what is learned of it; absent where λ has another form. */
  readonly sigma?: number;
  /** The least and the largest, where λ is a vector. */
  readonly range?: readonly [number, number];
}

/** λ and σ(·) of every differential block, in order; empty for a plain model. */
export function lambdasOf(model: Model): LambdaReport[] {
  const weights = weightsOf(model.parameters, 'backbone.layers');
  return model.config.blocks.flatMap((block, i) => {
    if (!isDifferential(block)) return [];
    const { lambda: form, lambdaInit } = block;
    const values = tf.tidy(() => lambdaOf(form, lambdaInit, weights.under(String(i))).dataSync() as Float32Array);
    const lambda = values.reduce((sum, value) => sum + value, 0) / values.length;
    const isSigmoid = typeof form === 'string' && form.startsWith('sigmoid');
    return {
      block: i,
      lambda,
      ...(isSigmoid && { sigma: lambda - lambdaInit }),
      ...(values.length > 1 && { range: [Math.min(...values), Math.max(...values)] as const }),
    };
  });
}
