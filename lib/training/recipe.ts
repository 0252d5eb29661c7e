import type { SourceConfig } from '@/lib/data/sources';
import { type Stage, stagesOf, type TrainingConfig } from './config';
import type { Recipe } from './rows';

/** What rows the stages of a run read. */
export function recipeOf(config: TrainingConfig): Recipe {
  const keys: string[] = [];
  const sources: SourceConfig[] = [];
  const placeOf = ({ weight: _weight, loss: _loss, ...source }: Stage['data'][number]) => {
    const key = JSON.stringify(source);
    if (!keys.includes(key)) {
      keys.push(key);
      sources.push(source as SourceConfig);
    }
    return keys.indexOf(key);
  };
  const stages = stagesOf(config).map(({ data, batchSize }) => ({
    parts: data.map((part) => ({ source: placeOf(part), weight: part.weight })),
    batchSize,
  }));
  return { seed: config.seed, sources, stages, accumulate: config.accumulate };
}
