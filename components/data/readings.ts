'use client';
import type { Read } from '@/lib/api/bodies';
import { ApiError } from '@/lib/api/client';
import type { AskedReading, ReadingName } from '@/lib/api/readings';
import type { Reduce } from '@/lib/api/schemas';
import type { Selection } from '../state/selection';
import { client } from './client';
import type { ModelView } from './view';

/** Once more after a failure, but not after a refusal, which stays one. */
export const retry = (failures: number, error: Error): boolean =>
  failures < 1 && !(error instanceof ApiError && error.status >= 400 && error.status < 500);

/** Results of a run never change once they exist. */
export const FOREVER = { staleTime: Number.POSITIVE_INFINITY, gcTime: 10 * 60_000, retry } as const;

/**
 * One reading of a model's run, for `useQuery` and its kin.
 * @param version what the answer grows with while the run computes
 */
export const readingOf = <N extends ReadingName>(
  { run }: Pick<ModelView, 'run'>,
  name: N,
  query: AskedReading<N>,
  version?: number,
) => ({
  queryKey: [name, run.id, query, version] as const,
  queryFn: ({ signal }: { signal: AbortSignal }): Promise<Read<N>> => client.read(run.id, name, query, signal),
  ...FOREVER,
});

/** The `reduce` parameter for one model. `one` means a head where the block has heads, else a channel. */
export function reduceFor(selection: Pick<Selection, 'reduction' | 'part'>, model: ModelView, layer: number): Reduce {
  if (selection.reduction !== 'one') return selection.reduction;
  const heads = model.model.blocks[layer]?.heads ?? 0;
  return `${heads > 0 ? 'head' : 'channel'}:${selection.part[model.slot]}`;
}
