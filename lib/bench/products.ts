import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '@/lib/checkpoint';
import { medianMs } from './measure';
import { finish, scoped, tensor } from './operands';
import { productsOf } from './shapes';

/** Milliseconds of one product [m,k] × [n,k]ᵀ. */
export function productMs(m: number, k: number, n: number): number {
  return scoped(() => {
    const a = tensor<tf.Rank.R2>([m, k]);
    const b = tensor<tf.Rank.R2>([n, k]);
    return medianMs(() => finish(() => tf.matMul(a, b, false, true)));
  });
}

/** All the products of a forward pass of this many tokens, one after the other; its operands belong to the scope around it. */
export function productsRun(shape: ModelConfig, tokens: number): () => void {
  const operands = productsOf(shape)
    .filter(([, n]) => n > 0)
    .map(([k, n]) => [tensor<tf.Rank.R2>([tokens, k]), tensor<tf.Rank.R2>([n, k])] as const);
  return () => {
    for (const [a, b] of operands) finish(() => tf.matMul(a, b, false, true));
  };
}

/** Milliseconds of them. */
export const productsMs = (shape: ModelConfig, tokens: number): number =>
  scoped(() => medianMs(productsRun(shape, tokens)));
