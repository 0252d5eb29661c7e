import * as tf from '@tensorflow/tfjs';
import { type BlockCache, blockCache, captureNames } from '@/lib/analysis/s6Attention';
import type { ModelConfig } from '@/lib/checkpoint';
import type { Hook } from '@/lib/models';

/** Keeps what the analyses need from a forward pass, one block at a time, so that the device holds one block's tensors only. */
export class Capture {
  #kept = new Map<string, tf.Tensor>();
  readonly hooks: readonly Hook[];

  constructor(private readonly config: ModelConfig) {
    const names = ['hook_embed', ...config.blocks.flatMap((_, i) => captureNames(config, i))];
    this.hooks = names.map(
      (pattern): Hook => [
        pattern,
        (value, name) => {
          if (!this.#kept.has(name)) this.#kept.set(name, tf.keep(value.clone()));
        },
      ],
    );
  }

  /** The embedding of the tokens, [L,d]. */
  embedding(): Float32Array {
    return copyOf(this.#kept.get('hook_embed') as tf.Tensor);
  }

  /** What block i left, as plain arrays; its tensors are released. */
  block(i: number): BlockCache {
    try {
      return blockCache(this.config, i, this.#kept);
    } finally {
      this.release();
    }
  }

  release(): void {
    for (const tensor of this.#kept.values()) tensor.dispose();
    this.#kept.clear();
  }
}

/** A tensor's values in memory of their own: a device may reuse what `dataSync` returns. */
export const copyOf = (tensor: tf.Tensor): Float32Array => tensor.dataSync<'float32'>().slice();
