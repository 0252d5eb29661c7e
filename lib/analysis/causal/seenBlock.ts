import * as tf from '@tensorflow/tfjs';
import type { Hook, Model } from '@/lib/models';
import type { Seen } from './sourceTerms';

/** Keeps what hooks see of a sequence until it is told to forget it. */
export interface Watched {
  readonly hooks: readonly Hook[];
  readonly seen: Seen;
  /** Runs block `layer` alone on the residual stream [L,d] that enters it. */
  run(stream: Float32Array, layer: number): void;
  forget(): void;
}

/** Hooks that keep these points on the device, as they pass: no copy is made of them. Whoever made them forgets them. */
export function watched(model: Model, names: readonly string[]): Watched {
  const kept = new Map<string, tf.Tensor>();
  const keep = (value: tf.Tensor, name: string) => void kept.set(name, tf.keep(value.clone()));
  const hooks = names.map((name): Hook => [name, keep]);
  return {
    hooks,
    seen: kept,
    run: (stream, layer) => {
      const { d } = model.config;
      const start = tf.tensor3d(stream, [1, stream.length / d, d]);
      const blocks = model.blocksFrom(start, layer, hooks);
      try {
        blocks.next();
      } finally {
        blocks.return(undefined as never);
        start.dispose();
      }
    },
    forget: () => {
      for (const value of kept.values()) value.dispose();
      kept.clear();
    },
  };
}
