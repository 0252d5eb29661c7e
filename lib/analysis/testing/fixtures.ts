import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { type BlockCache, blockCache, captureNames } from '@/lib/analysis';
import { loadCheckpoint } from '@/lib/checkpoint';
import { createModel, type Model } from '@/lib/models';

/** A small checkpoint of the repository. */
export const bundledCase = (name: string) => join(process.cwd(), 'lib/models/testing/cases', name);

export async function loadModel(folder: string): Promise<Model> {
  return createModel(await loadCheckpoint(folder));
}

/** What every block of a forward pass left, for one batch row. */
export function blocksOf(model: Model, tokens: number[][], row = 0): BlockCache[] {
  const { config } = model;
  const names = config.blocks.flatMap((_, i) => captureNames(config, i));
  const { logits, cache } = model.runWithCache(tokens, { names });
  const blocks = config.blocks.map((_, i) => blockCache(config, i, cache, row));
  disposeAll([logits, ...cache.values()]);
  return blocks;
}

const disposeAll = (tensors: tf.Tensor[]) => {
  for (const tensor of tensors) tensor.dispose();
};
