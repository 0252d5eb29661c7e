'use client';
import { type InfiniteData, useInfiniteQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { Thumbnails } from '@/lib/api/bodies';
import { refusedReduction } from '@/lib/api/refusals';
import { reduces, useSelection } from '../state/selection';
import { client } from './client';
import type { LayerMaps } from './mapQueries';
import { useTargetIds } from './queries';
import { FOREVER, reduceFor } from './readings';
import { useShownMaps } from './shownMaps';
import { hasBranches, isParallel, type ModelView, type View } from './view';

/** Layers that are asked for at a time: between two requests, what is in view goes first. */
const LAYERS = 8;

/** Small maps of the first layers of a model, as many as are there, each `size` × `size`. */
export interface SmallMaps {
  readonly size: number;
  readonly layers: readonly Float32Array[];
}

const present = (pages: readonly Thumbnails[]): number =>
  pages.reduce((layers, page) => layers + page.layers.length, 0);

const joined = new WeakMap<InfiniteData<Thumbnails>, SmallMaps>();

/** The pages of an answer as one list: the same object for the same answer, whose pictures are kept for it. */
function smallMapsOf(data: InfiniteData<Thumbnails>): SmallMaps {
  const { pages } = data;
  const maps = joined.get(data) ?? { size: pages[0].size, layers: pages.flatMap(({ layers }) => layers) };
  joined.set(data, maps);
  return maps;
}

/** Whether a map in view is still asked for. */
const isWaiting = ({ ready, error, map, branches }: LayerMaps): boolean =>
  ready && !error && (!map || (branches !== undefined && Object.values(branches).some((one) => one === undefined)));

/** What makes the small maps of a model those of the large one: form, branch, reduction, parts left out. */
function useAsked(m: ModelView | undefined, layer: number, target: number | undefined) {
  const form = useSelection((s) => s.form);
  const branch = useSelection((s) => s.branch);
  const mixer = useSelection((s) => s.mixer);
  const reduction = useSelection((s) => s.reduction);
  const part = useSelection((s) => s.part);
  const without = useSelection((s) => s.without);
  return {
    model: m?.index ?? 0,
    form,
    branch: m?.model.blocks.some(hasBranches) ? branch : m?.model.blocks.some(isParallel) ? mixer : undefined,
    reduce: m && reduces(form) ? reduceFor({ reduction, part }, m, layer) : undefined,
    without: form === 'block' && without.length > 0 ? without : undefined,
    target: form === 'logit' ? target : undefined,
  };
}

/**
 * Thumbnails of one model, some layers at a time and each asked for once: more of them as layers finish, and none while
 * something in view waits. Maps that a run does not make by itself wait for its end.
 */
function useModelThumbnails(
  view: View,
  m: ModelView | undefined,
  asked: ReturnType<typeof useAsked>,
  size: number,
  waits: boolean,
): SmallMaps | undefined {
  const { form, reduce, target } = asked;
  const ready = m?.model.mapsReady ?? 0;
  const free = form === 's6' && reduce === 'mean';
  const can =
    m !== undefined &&
    !waits &&
    (free || view.run.state !== 'running') &&
    (form !== 'logit' || (target !== undefined && ready >= m.layers)) &&
    !(reduce && m.model.blocks.slice(0, ready).some((block, layer) => refusedReduction(block, layer, reduce)));
  const { data, isFetching, isError, isPlaceholderData, fetchNextPage } = useInfiniteQuery({
    queryKey: ['thumbnails', m?.run.id, asked, size],
    queryFn: ({ signal, pageParam }) =>
      client.read(m?.run.id ?? '', 'thumbnails', { ...asked, size, first: pageParam, count: LAYERS }, signal),
    initialPageParam: 0,
    getNextPageParam: (_last, pages) => present(pages),
    enabled: can && ready > 0,
    // Pictures of another form would be taken for those of this one.
    placeholderData: (before, query) =>
      query?.queryKey[1] === m?.run.id && before?.pages[0]?.metadata.form === form ? before : undefined,
    ...FOREVER,
  });
  const more =
    can && data !== undefined && !isPlaceholderData && !isError && !isFetching && present(data.pages) < ready;
  useEffect(() => {
    if (more) void fetchNextPage({ cancelRefetch: false });
  }, [more, fetchNextPage]);
  return data && smallMapsOf(data);
}

/** Small maps of every finished layer, of the form, branch and reduction of the large maps, one entry a model. */
export function useThumbnails(view: View, size: number): readonly (SmallMaps | undefined)[] {
  const waits = useShownMaps().entries.some(isWaiting);
  const targets = useTargetIds(view);
  const [a, b] = view.models;
  const [first, second] = [useAsked(a, view.layer, targets[0]), useAsked(b, view.layer, targets[1])];
  const found = [useModelThumbnails(view, a, first, size, waits), useModelThumbnails(view, b, second, size, waits)];
  return found.slice(0, view.models.length);
}
