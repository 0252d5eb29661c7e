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
  const names = [...model.parameters.keys()];
  return model.config.blocks.flatMap((block, i) => {
    if (!isDifferential(block)) return [];
    const { lambda: form, lambdaInit } = block;
    // Some kinds keep it in their mixer, and a constant has no parameter.
    const place = names.find((name) => name.startsWith(`backbone.layers.${i}.`) && name.endsWith('.lambda_q1'));
    const weights = weightsOf(model.parameters, place?.slice(0, -'.lambda_q1'.length));
    const values = tf.tidy(() => lambdaOf(form, lambdaInit, weights).dataSync() as Float32Array);
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
