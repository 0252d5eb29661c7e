/** Tensors of the parts that architectures are made of, by name within a mixer or block, and their shapes. */

import type { DifferentialBlock, MixerConfig, Shapes } from '../types';

export function projection(name: string, outputs: number, inputs: number, bias: boolean): Shapes {
  const weight: Shapes = [[`${name}.weight`, [outputs, inputs]]];
  return bias ? [...weight, [`${name}.bias`, [outputs]]] : weight;
}

export function convolution(channels: number, { K, useConvBias }: MixerConfig): Shapes {
  const weight: Shapes = [['conv1d.weight', [channels, 1, K]]];
  return useConvBias ? [...weight, ['conv1d.bias', [channels]]] : weight;
}

/** Parameters of one selective scan (equations A1); `branch` numbers those of a Diff-S6 mixer. */
export function selectiveScan({ E, N, R }: MixerConfig, branch: '' | '1' | '2' = ''): Shapes {
  return [
    [`x${branch}_proj.weight`, [R + 2 * N, E]],
    ...projection(`dt${branch}_proj`, E, R, true),
    [`A${branch}_log`, [E, N]],
    [`D${branch}`, [E]],
  ];
}

/** Parameters of one state-space dual (equations A2). */
export function stateSpaceDual({ H }: MixerConfig, branch: '' | '1' | '2' = ''): Shapes {
  return [
    [`dt${branch}_bias`, [H]],
    [`A${branch}_log`, [H]],
    [`D${branch}`, [H]],
  ];
}

/** λ vectors and subln weight. @param difference width of what is subtracted @param normed width of what is normed */
export function differential({ lambda, subln, mixer }: DifferentialBlock, difference: number, normed: number): Shapes {
  const weight: Shapes = subln ? [['subln.weight', [normed]]] : [];
  if (lambda === 'exp') {
    const vectors = ['lambda_q1', 'lambda_k1', 'lambda_q2', 'lambda_k2'];
    return [...vectors.map((name): Shapes[number] => [name, [mixer.N]]), ...weight];
  }
  if (lambda === 'sigmoid_sum') return [['lambda_q1', [mixer.d]], ...weight];
  if (lambda === 'sigmoid_scalar') return [['lambda_q1', [1]], ...weight];
  if (lambda === 'sigmoid_channel') return [['lambda_q1', [difference]], ...weight];
  return weight;
}

export const under = (prefix: string, shapes: Shapes): Shapes =>
  shapes.map(([name, shape]) => [`${prefix}.${name}`, shape]);
