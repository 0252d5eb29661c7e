import * as tf from '@tensorflow/tfjs';
import { attentionAt, scansAt } from '@/lib/architectures/places';
import { isDifferential } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import type { BlockCache, S6Inputs } from '../s6Inputs';
import type { Seen } from './sourceTerms';

/**
 * What a block left in a forward pass, as `branchTensors` reads it up to the token before `L`: nothing is run again. The tensors
 * belong to the scope that it is called in. Memory: copies of what the scans read of L tokens on devices that copy.
 */
export function seenIn(model: Model, block: BlockCache, L: number): Seen {
  const { index } = block;
  const config = model.config.blocks[index];
  const seen = new Map<string, tf.Tensor>();
  for (const { name, at, parameter, parameters } of scansAt(index, config)) {
    const inputs = block.scans.get(name) as S6Inputs;
    const { E, N, x0, z, delta, A, B, C } = inputs;
    const upTo = (values: Float32Array, shape: readonly number[]) =>
      tf.tensor(values.subarray(0, L * shape.reduce((all, size) => all * size, 1)), [1, L, ...shape]);
    const [units, grouped] = inputs.family === 'mamba1' ? [E, [N]] : [inputs.H, [inputs.G, N]];
    seen.set(at('in_proj'), upTo(x0, [E]));
    seen.set(at('delta'), upTo(delta, [units]));
    seen.set(at('A'), tf.tensor(A, inputs.family === 'mamba1' ? [E, N] : [units]));
    seen.set(at('B'), upTo(B, grouped));
    seen.set(at('C'), upTo(C, grouped));
    seen.set(at('skip'), lastRow(z, L, E));
    if (parameters.norm === undefined) continue;
    const D = model.parameters.get(parameter(parameters.D))?.dataSync() as Float32Array;
    seen.set(at('ssm_output'), lastRow(withSkip(inputs, D, L), 1, E));
  }
  const attention = attentionAt(index, config);
  if (attention && block.attention) {
    const { H, KV, D, q, k, v } = block.attention;
    seen.set(attention.at('q'), tf.tensor4d(q.subarray((L - 1) * H * D, L * H * D), [1, 1, H, D]));
    for (const [point, values] of [['k', k] as const, ['v', v] as const])
      seen.set(attention.at(point), tf.tensor4d(values.subarray(0, L * KV * D), [1, L, KV, D]));
  }
  const { d } = model.config;
  seen.set(`blocks.${index}.hook_out_proj`, lastRow(block.out, L, d));
  if (!isDifferential(config) || !block.diff || block.lambda === undefined) return seen;
  seen.set(`blocks.${index}.hook_diff`, lastRow(block.diff, L, (block.diff.length * d) / block.out.length));
  const { lambda } = block;
  seen.set(`blocks.${index}.hook_lambda`, typeof lambda === 'number' ? tf.scalar(lambda) : tf.tensor1d(lambda));
  return seen;
}

/** Row L − 1 of [·,width] as [1,1,width]. */
const lastRow = (values: Float32Array, L: number, width: number) =>
  tf.tensor3d(values.subarray((L - 1) * width, L * width), [1, 1, width]);

/** y + D x at token L − 1 [E]; D has one value per channel, or per head. */
function withSkip({ x, y, E }: S6Inputs, D: Float32Array, L: number): Float32Array {
  const start = (L - 1) * E;
  return Float32Array.from({ length: E }, (_, e) => y[start + e] + D[Math.floor((e * D.length) / E)] * x[start + e]);
}
