'use client';
import { useQueries, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { AttentionMap } from '@/lib/api/bodies';
import type { RolloutMethod } from '@/lib/api/readings';
import { refusedRollout, refusedView } from '@/lib/api/refusals';
import type { BlockSummary, Reduce } from '@/lib/api/schemas';
import { type BlockComponent, type Branch, DIFFERENCE_TERMS, type Form, isWeighed } from '@/lib/vocabulary';
import type { LayerSpan, ShownForm } from '../state/forms';
import { overLayers, reduces, reductionOf, spanOf, useSelection } from '../state/selection';
import { useSteady } from '../ui/steady';
import { productQueryOf } from './products';
import { readingOf, reduceFor } from './readings';
import { branchAt, formAt, hasBranches, isParallel, type ModelView, type View } from './view';

interface WantedMap {
  readonly layer: number;
  readonly branch: Branch;
  readonly form: Form;
  readonly reduce: Reduce;
  readonly without: readonly BlockComponent[];
  /** Token id; the form `logit` waits for it and for the whole run. */
  readonly target: number | undefined;
}

/** A map of a layer, or a product of maps, which has no map error of its own. */
export type ShownMap = Pick<AttentionMap, 'L' | 'data' | 'rest'> & {
  readonly metadata: Pick<AttentionMap['metadata'], 'convention'> &
    Partial<Pick<AttentionMap['metadata'], 'form'>> & { readonly reconstruction_error?: number };
};

/** Whether a layer's map of a form can be asked for. */
const canAsk = ({ model, layers }: ModelView, layer: number, form: Form, target: number | undefined) =>
  layer < model.mapsReady && (form !== 'logit' || (target !== undefined && model.mapsReady >= layers));

const asked = (m: ModelView, { layer, branch, form, reduce, without, target }: WantedMap) => ({
  model: m.index,
  layer,
  branch,
  form,
  reduce: reduces(form) ? reduce : undefined,
  without: form === 'block' && without.length > 0 ? without : undefined,
  target: form === 'logit' ? target : undefined,
});

/** Why the server would not answer; such a question is not asked. */
export function refusedMap(
  { model }: ModelView,
  span: LayerSpan,
  { layer, branch, form, reduce }: Pick<WantedMap, 'layer' | 'branch' | 'form'> & { readonly reduce?: Reduce },
): string | undefined {
  if (span !== 'layer') return refusedRollout(model.blocks, { method: span, start: layer })?.message;
  const block = model.blocks[layer];
  const asked = reduces(form) && reduce;
  return block && (asked || block.branches.length === 0)
    ? refusedView(block, layer, branch, reduce ?? 'mean')?.message
    : undefined;
}

const mapQuery = (m: ModelView, wanted: WantedMap) => {
  return {
    ...readingOf(m, 'map', asked(m, wanted)),
    enabled: canAsk(m, wanted.layer, wanted.form, wanted.target) && !refusedMap(m, 'layer', wanted),
    gcTime: 60_000,
  };
};

/** Products over layers need the whole run, and attribution a target. */
const canMultiply = ({ model, layers }: ModelView, method: LayerSpan, target: number | undefined) =>
  model.mapsReady >= layers && (method === 'layer' || !isWeighed(method) || target !== undefined);

const productQuery = (m: ModelView, method: RolloutMethod, wanted: WantedMap) => {
  const { layer, reduce, target } = wanted;
  const query = productQueryOf(method, { model: m.index, layer, reduce, target, position: m.position });
  return {
    ...readingOf(m, 'rollout', query),
    enabled: canMultiply(m, method, target) && !refusedMap(m, method, wanted),
    gcTime: 60_000,
  };
};

/** Whether maps of a form are made on request: those of a mixer alone are made with the run. */
const isMadeLater = (form: Form): boolean => form !== 's6' && form !== 'softmax';

/** What the maps that are still to be made would take, in words. */
function useEstimates(
  wanted: readonly { readonly m: ModelView; readonly map: WantedMap }[],
  missing: readonly boolean[],
) {
  const results = useQueries({
    queries: wanted.map(({ m, map }, k) => {
      return {
        ...readingOf(m, 'map/estimate', asked(m, map)),
        enabled:
          missing[k] &&
          isMadeLater(map.form) &&
          canAsk(m, map.layer, map.form, map.target) &&
          !refusedMap(m, 'layer', map),
        retry: false,
      };
    }),
  });
  return results.map(({ data }) => data && `being made, takes about ${Math.ceil(data.bytes / 2 ** 20)} MB`);
}

export interface LayerMaps {
  readonly model: ModelView;
  readonly branch: Branch;
  /** The map of the chosen branch, or the product from this layer on. */
  readonly map?: ShownMap;
  /** Mixer 1, λ·mixer 2 and their difference, for a differential block. */
  readonly branches?: Partial<Record<Branch, ShownMap>>;
  /** Whether this layer has a map to fetch. */
  readonly ready: boolean;
  /** What is said in its place while it is made. */
  readonly note?: string;
  readonly error?: string;
}

/** All that is there of one layer of one model, whichever branch is chosen. */
export interface FoundMaps {
  readonly model: ModelView;
  readonly maps: Partial<Record<Branch, ShownMap>>;
  readonly notes: Partial<Record<Branch, string>>;
  /** Why a branch is not asked for. */
  readonly refused: Partial<Record<Branch, string>>;
  /** Whether they are products over layers. */
  readonly product: boolean;
  readonly ready: boolean;
  readonly error?: string;
}

/**
 * The maps of one layer for every model; differential blocks bring all terms of their equation, mixer 2 alone on
 * request. Another branch asks for nothing new, except of a product over layers.
 */
export function useFoundMaps(view: View, targets: readonly (number | undefined)[]): readonly FoundMaps[] {
  const { layer } = view;
  const form = useSelection((s) => s.form);
  const branch = useSelection((s) => (spanOf(s) === 'layer' ? 'diff' : s.branch));
  const reduction = useSelection(reductionOf);
  const part = useSelection((s) => s.part);
  const all = useSelection((s) => s.allBranches);
  const without = useSelection((s) => s.without);
  const span = useSelection(spanOf);
  const wanted = view.models.flatMap((m, k) => {
    const reduce = reduceFor({ reduction, part }, m, layer);
    // Contributions exist as they enter the block: mixer 2 always with its λ.
    const terms: readonly Branch[] = all && reduces(form) ? [...DIFFERENCE_TERMS, 'mixer_2'] : DIFFERENCE_TERMS;
    const block = m.model.blocks[layer];
    const own = branchesFor(block, form, terms);
    const branches = span !== 'layer' ? [branchAt(m, layer, { branch, mixer: 'single', form, span })] : own;
    return layer < m.layers
      ? branches.map((b) => ({
          m,
          map: { layer, branch: b, form: formAt(block, b, form), reduce, without, target: targets[k] },
        }))
      : [];
  });
  const results = useQueries({
    queries: wanted.map(({ m, map }) => (span === 'layer' ? mapQuery(m, map) : productQuery(m, span, map))),
  });
  const missing = results.map(({ data }) => data === undefined);
  const estimates = useEstimates(wanted, missing);
  const found = view.models.map((model, k): FoundMaps => {
    const own = wanted.flatMap(({ m, map }, i) =>
      m === model
        ? [{ b: map.branch, result: results[i], estimate: estimates[i], refused: refusedMap(m, span, map) }]
        : [],
    );
    return {
      model,
      maps: Object.fromEntries(own.map(({ b, result }) => [b, result.data])),
      notes: Object.fromEntries(own.map(({ b, estimate }) => [b, estimate])),
      product: span !== 'layer',
      ready: span === 'layer' ? canAsk(model, layer, form, targets[k]) : canMultiply(model, span, targets[k]),
      refused: Object.fromEntries(own.map(({ b, refused }) => [b, refused])),
      error: own.find(({ result }) => result.error)?.result.error?.message,
    };
  });
  return useSteady(found);
}

/** The branches of a block that are asked for together. @param terms of a differential one */
function branchesFor(block: BlockSummary | undefined, form: ShownForm, terms: readonly Branch[]): readonly Branch[] {
  if (hasBranches(block)) return terms;
  if (!block || !isParallel(block)) return ['single'];
  return reduces(form) ? block.branches : (block.exact ?? block.branches);
}

const chosen = new WeakMap<FoundMaps, Map<Branch, LayerMaps>>();

/** What is shown of a layer while one of its branches is chosen: the same object whenever it is chosen again. */
function chosenOf(found: FoundMaps, branch: Branch): LayerMaps {
  const { model, maps, notes, refused, product, ready } = found;
  const known = chosen.get(found) ?? new Map<Branch, LayerMaps>();
  chosen.set(found, known);
  const branches = 'mixer_1' in maps && !product ? maps : undefined;
  const error = refused[branch] ?? found.error;
  const shown = known.get(branch) ?? { model, branch, map: maps[branch], branches, ready, note: notes[branch], error };
  known.set(branch, shown);
  return shown;
}

/** The maps of the chosen branch among those that were found. */
export function useChosenMaps(found: readonly FoundMaps[], layer: number): readonly LayerMaps[] {
  const branch = useSelection((s) => s.branch);
  const mixer = useSelection((s) => s.mixer);
  const form = useSelection((s) => s.form);
  const span = useSelection((s) => s.span);
  return useSteady(found.map((one) => chosenOf(one, branchAt(one.model, layer, { branch, mixer, form, span }))));
}

/** The maps of one layer for every model. */
export const useLayerMaps = (view: View, targets: readonly (number | undefined)[]): readonly LayerMaps[] =>
  useChosenMaps(useFoundMaps(view, targets), view.layer);

/** Asks for the maps of the neighbouring layers once the selected one is there, so that stepping shows no gap. */
export function usePrefetchedLayers(view: View): void {
  const queries = useQueryClient();
  const reduction = useSelection((s) => s.reduction);
  const part = useSelection((s) => s.part);
  const form = useSelection((s) => s.form);
  const product = useSelection(overLayers);
  const { run, models, layer } = view;
  useEffect(() => {
    // Other forms are computed on request and cost more.
    if (run.state === 'running' || form !== 's6' || product) return;
    for (const near of [layer + 1, layer - 1])
      for (const m of models) {
        const block = m.model.blocks[near];
        if (!block || near >= m.model.mapsReady) continue;
        if (block.branches.length === 0) continue;
        for (const branch of branchesFor(block, form, DIFFERENCE_TERMS))
          void queries.prefetchQuery(
            mapQuery(m, {
              layer: near,
              branch,
              form: formAt(block, branch, form),
              reduce: reduceFor({ reduction, part }, m, near),
              without: [],
              target: undefined,
            }),
          );
      }
  }, [queries, run.state, models, layer, form, product, reduction, part]);
}
