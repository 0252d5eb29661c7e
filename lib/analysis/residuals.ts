import type * as tf from '@tensorflow/tfjs';
import type { Model, Tokens } from '@/lib/models';

/** Residual streams of a forward pass, in memory of their own. */
export interface Residuals {
  readonly B: number;
  readonly L: number;
  /** Each [B,L,d]: the embedding, then the output of every block. */
  readonly streams: readonly Float32Array[];
}

/** Runs the blocks and keeps every residual stream. Memory: 4 (blocks + 1) B L d bytes. @param onBlock told after each block */
export function residualsOf(model: Model, tokens: Tokens, onBlock?: (index: number) => void): Residuals {
  const streams: Float32Array[] = [];
  let shape: readonly number[] = [];
  const keep = (stream: tf.Tensor) => {
    shape = stream.shape;
    streams.push((stream.dataSync() as Float32Array).slice());
  };
  const blocks = model.blocksOf(tokens, [['hook_embed', keep]]);
  let step = blocks.next();
  while (!step.done) {
    keep(step.value.residual);
    onBlock?.(step.value.index);
    step = blocks.next();
  }
  step.value.dispose();
  return { B: shape[0], L: shape[1], streams };
}
