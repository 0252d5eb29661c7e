import { z } from 'zod';
import { RESAMPLES, WEIGHT_CHOICES } from '@/lib/vocabulary';
import { modelSchema, type SweptModel, type SweptSource, sourceSchema } from '../bench';
import { placesOf } from '../kind';

/** What sweeps of prompts over models have in common. */
export const batchShape = {
  /** Models that are compared, each as its training seeds. */
  models: z.array(z.array(modelSchema).min(1)).min(1),
  /** Lengths, tasks or sets of prompts, each summarised by itself. */
  sources: z.array(sourceSchema).min(1),
  weights: z.enum(WEIGHT_CHOICES),
  /** Of the bootstrap. */
  resamples: z.number().int().positive().default(RESAMPLES),
  seed: z.number().int().nonnegative().default(42),
};

interface Batch {
  readonly models: readonly (readonly SweptModel[])[];
  readonly sources: readonly SweptSource[];
}

export interface BatchItem {
  readonly model: SweptModel;
  readonly source: SweptSource;
  readonly example: number;
}

const prompts = ({ sources }: Batch) => sources.reduce((sum, { lines }) => sum + lines.length, 0);

export const batchItems = (batch: Batch): number => batch.models.flat().length * prompts(batch);

/** Ordered by model, source and example, so that a worker loads a model once. */
export function batchItem(batch: Batch, item: number): BatchItem {
  const [m, p] = placesOf(item, [batch.models.flat().length, prompts(batch)]);
  let example = p;
  for (const source of batch.sources) {
    if (example < source.lines.length) return { model: batch.models.flat()[m], source, example };
    example -= source.lines.length;
  }
  throw new Error(`There is no item ${item}.`);
}

export const batchLabel = (batch: Batch, item: number): string => {
  const { model, source, example } = batchItem(batch, item);
  return `${model.name}, ${source.name}, example ${example + 1}`;
};

/** Results by source, then group, seed and example. */
export function bySource<R>(batch: Batch, results: readonly R[]): { source: SweptSource; groups: R[][][] }[] {
  const perModel = prompts(batch);
  let before = 0;
  return batch.sources.map((source) => {
    const from = before;
    before += source.lines.length;
    let m = 0;
    const groups = batch.models.map((seeds) =>
      seeds.map(() => {
        const start = m++ * perModel + from;
        return results.slice(start, start + source.lines.length);
      }),
    );
    return { source, groups };
  });
}

export const nameOf = (group: readonly SweptModel[]): string => group.map(({ name }) => name).join('+');
