import type { SnrExampleInput } from '@/lib/api/analyses';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { partNamed } from '@/lib/api/parts';
import { examplePrompt } from '@/lib/vocabulary';
import { hasBranches, type ModelView, ownToken, promptOf, targetOf, type View } from '../data/view';
import { isBranched, layersAt } from './points';
import { type CausalSettings, type Changes, isChanged } from './settings';

/** Layers that have branches with scans of their own. */
const branchedLayers = ({ model }: ModelView): number[] =>
  model.blocks.flatMap((block, layer) => (hasBranches(block) ? [layer] : []));

const questionOf = (view: View, model: ModelView, foil: string) => ({
  model: model.name,
  target: targetOf(model),
  position: model.position,
  ...(foil.trim() !== '' && foil.trim() !== view.target.trim() && { foil: foil.trim() }),
});

/** The patching request of one model; undefined where it has no such point. */
export function patchRequest(
  view: View,
  model: ModelView,
  { point, branch, direction }: Pick<CausalSettings, 'point' | 'branch' | 'direction'>,
  pair: { readonly corrupted: string; readonly foil: string },
): AnalysisRequestInput | undefined {
  const mixer = isBranched(view.models, point) ? branch : '';
  const layers = mixer ? layersAt(model, point, mixer) : undefined;
  if (layers?.length === 0) return undefined;
  return {
    kind: 'patch',
    ...questionOf(view, model, pair.foil),
    point,
    clean: promptOf(model),
    corrupted: pair.corrupted,
    ...(direction === 'noise' && { direction }),
    ...(layers && mixer && { layers, mixer }),
  };
}

/** The knock-out of every token, or of one span of tokens of model A; undefined where the model has nothing to cut. */
export function knockoutRequest(
  view: View,
  model: ModelView,
  { queries, reads, branch }: Pick<CausalSettings, 'queries' | 'reads' | 'branch'>,
  foil: string,
  span?: { readonly tokens: readonly [number, number]; readonly together: boolean },
): AnalysisRequestInput | undefined {
  const layers = branch ? branchedLayers(model) : undefined;
  if (layers?.length === 0) return undefined;
  const ends = span?.tokens.map((token) => ownToken(model, token));
  if (ends?.some((end) => end === undefined)) return undefined;
  const [first, last] = (ends ?? []) as number[];
  return {
    kind: 'knockout',
    ...questionOf(view, model, foil),
    prompt: promptOf(model),
    queries,
    reads,
    ...(layers && branch && { layers, mixer: branch }),
    ...(span && { spans: [[first, Math.min(last, model.position) + 1]], together: span.together }),
  };
}

/** Most prompts of a reference: the models run again at every change. */
const MOST_REFERENCES = 32;

/** Other prompts to take means over: those of the batch where a reader gave some, else held-out stories. */
export const otherPrompts = (own: readonly SnrExampleInput[] | undefined) =>
  own?.slice(0, MOST_REFERENCES).map((example) => examplePrompt(example) ?? example.tokens ?? []) ??
  `demo:${MOST_REFERENCES}`;

/** The run of one model with all its changes; undefined where there are none. */
export function interventionRequest(
  view: View,
  model: ModelView,
  changes: Changes,
  method: CausalSettings['method'],
  foil: string,
  others: ReturnType<typeof otherPrompts>,
): AnalysisRequestInput | undefined {
  if (!isChanged(changes)) return undefined;
  const { candidates } = view.run.request;
  const averaged = method !== 'zero' && changes.off.length > 0;
  return {
    kind: 'intervene',
    ...questionOf(view, model, foil),
    prompt: promptOf(model),
    ...(averaged && { method: 'mean', reference: method === 'self' ? 'self' : others }),
    lambdas: Object.entries(changes.lambdas).map(([layer, value]) => ({ layer: Number(layer), value })),
    removed: changes.off.flatMap((name) => partNamed(name) ?? []),
    ...(candidates && candidates.length > 1 && { candidates: [...candidates] }),
  };
}
