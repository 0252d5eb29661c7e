import type { SnrExampleInput } from '@/lib/api/analyses';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { partNamed } from '@/lib/api/parts';
import { ATTRIBUTION_METRICS, type AttributionMetric, examplePrompt, sentenceSpans } from '@/lib/vocabulary';
import { hasBranches, isDiff, type ModelView, ownToken, promptOf, targetOf, type View } from '../data/view';
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

/** What has a row, default every token, and the layers that are changed together. */
type Rows = Partial<Pick<CausalSettings, 'rows' | 'window'>>;

/** The classes of a model's own tokens, as the page has them marked. */
function classesIn({ needle, competing, question }: ModelView) {
  const own = (spans: ModelView['competing']) => spans.map(([start, end]): [number, number] => [start, end]);
  return {
    ...(needle && { needle: [needle[0], needle[1] + 1] as [number, number] }),
    competing: own(competing),
    question: own(question),
  };
}

/** The columns and windows of a request. */
const rowsOf = (model: ModelView, { rows, window = 1 }: Rows) => ({
  ...(rows === 'sentences' && { spans: sentenceSpans(model) }),
  ...(rows === 'classes' && { classes: classesIn(model) }),
  ...(window > 1 && { window }),
});

/** The patching request of one model; undefined where it has no such point. */
export function patchRequest(
  view: View,
  model: ModelView,
  { point, branch, direction, ...rows }: Pick<CausalSettings, 'point' | 'branch' | 'direction'> & Rows,
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
    ...rowsOf(model, rows),
  };
}

/** Exact patching of the tokens [first, last] of model A together, in one layer; undefined where the model has no such cell. */
export function patchCellRequest(
  view: View,
  model: ModelView,
  settings: Pick<CausalSettings, 'point' | 'branch' | 'direction'> & Pick<Rows, 'window'>,
  pair: { readonly corrupted: string; readonly foil: string },
  layer: number,
  [first, last]: readonly [number, number],
): AnalysisRequestInput | undefined {
  const whole = patchRequest(view, model, settings, pair);
  const cell = cellOf(view, model, settings.window, layer, [first, last], whole);
  return whole?.kind === 'patch' && cell ? { ...whole, ...cell } : undefined;
}

/** The layers and the span of one cell, in a model's own tokens; undefined where the model has no such cell. */
function cellOf(
  view: View,
  model: ModelView,
  window = 1,
  layer: number,
  [first, last]: readonly [number, number],
  whole: AnalysisRequestInput | undefined,
): { layers: number[]; spans: [number, number][] } | undefined {
  const ends = [first, Math.min(last, view.position)].map((token) => ownToken(model, token));
  if (!whole || ends.some((end) => end === undefined) || layer >= model.layers) return undefined;
  const having = 'layers' in whole && whole.layers ? whole.layers : [...model.model.blocks.keys()];
  if (!having.includes(layer)) return undefined;
  const [start, end] = ends as number[];
  const layers = having.filter((each) => each >= layer).slice(0, window);
  if (layers.length < window) return undefined;
  return { layers, spans: [[start, Math.min(end, model.position) + 1]] };
}

/** Cells of every model that are computed exactly as well, to see how far estimates hold. */
const CHECKED = 12;

/** Whether a point can be estimated: the convolution's inputs have no gradient that is worth following, and the stream is passed on whole through a window. */
export const isEstimated = (point: CausalSettings['point'], window = 1): boolean =>
  point !== 'conv' && (window === 1 || point !== 'hook_resid_pre');

/** The estimate of all patches of one model; undefined where it has no such point. */
export function attributionRequest(
  view: View,
  model: ModelView,
  {
    point,
    branch,
    direction,
    measure,
    window,
  }: Pick<CausalSettings, 'point' | 'branch' | 'direction' | 'measure'> & Pick<Rows, 'window'>,
  pair: { readonly corrupted: string; readonly foil: string },
): AnalysisRequestInput | undefined {
  const exact = patchRequest(view, model, { point, branch, direction, window }, pair);
  if (exact?.kind !== 'patch' || !isEstimated(point, window)) return undefined;
  const { mixer, point: _point, kind: _kind, ...common } = exact;
  const metric = ATTRIBUTION_METRICS.find((name): name is AttributionMetric => name === measure);
  return {
    kind: 'patch_attribution',
    ...common,
    points: [mixer ? `${mixer}.${point}` : point],
    ...(metric && { metric }),
    check: CHECKED,
  };
}

/** The knock-out of every token, or of one span of tokens of model A; undefined where the model has nothing to cut. */
export function knockoutRequest(
  view: View,
  model: ModelView,
  { queries, reads, branch, ...rows }: Pick<CausalSettings, 'queries' | 'reads' | 'branch'> & Rows,
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
    ...(!span && rowsOf(model, rows)),
    ...(span && { spans: [[first, Math.min(last, model.position) + 1]], together: span.together }),
  };
}

type Cut = Pick<CausalSettings, 'queries' | 'reads' | 'branch'> & Rows;

/** The estimate of all knock-outs of one model, token by token. */
export function knockoutEstimateRequest(
  view: View,
  model: ModelView,
  { rows: _, ...settings }: Cut,
  foil: string,
): AnalysisRequestInput | undefined {
  const whole = knockoutRequest(view, model, settings, foil);
  return whole?.kind === 'knockout' ? { ...whole, kind: 'knockout_attribution', check: CHECKED } : undefined;
}

/** Exact knock-out of one cell: the tokens [first, last] of model A. */
export function knockoutCellRequest(
  view: View,
  model: ModelView,
  { rows: _, ...settings }: Cut,
  foil: string,
  layer: number,
  tokens: readonly [number, number],
): AnalysisRequestInput | undefined {
  const whole = knockoutRequest(view, model, settings, foil);
  const cell = cellOf(view, model, settings.window, layer, tokens, whole);
  return whole?.kind === 'knockout' && cell ? { ...whole, ...cell } : undefined;
}

type Replaced = Pick<CausalSettings, 'branch' | 'method'> & Rows;

/** The ablation of every block of one model, or of a branch, by tokens; undefined where it has no such branch. */
export function ablationRequest(
  view: View,
  model: ModelView,
  { branch, method, rows, ...window }: Replaced,
  foil: string,
  others: ReturnType<typeof otherPrompts>,
): AnalysisRequestInput | undefined {
  const layers = branch ? model.model.blocks.flatMap((block, layer) => (isDiff(block) ? [layer] : [])) : undefined;
  if (layers?.length === 0) return undefined;
  const columns = rowsOf(model, { rows, ...window });
  const tokens = Array.from({ length: model.position + 1 }, (_, t): [number, number] => [t, t + 1]);
  return {
    kind: 'ablate',
    ...questionOf(view, model, foil),
    prompt: promptOf(model),
    ...(branch ? { unit: 'mixer' as const, mixer: branch, layers } : { unit: 'block' as const }),
    ...(method !== 'zero' && { method: 'mean' as const, reference: method === 'self' ? ('self' as const) : others }),
    ...(!('spans' in columns || 'classes' in columns) && { spans: tokens }),
    ...columns,
  };
}

/** The estimate of the same, token by token. */
export function ablationEstimateRequest(
  view: View,
  model: ModelView,
  { rows: _, ...settings }: Replaced,
  foil: string,
  others: ReturnType<typeof otherPrompts>,
): AnalysisRequestInput | undefined {
  const whole = ablationRequest(view, model, settings, foil, others);
  return whole?.kind === 'ablate' ? { ...whole, kind: 'ablate_attribution', check: CHECKED } : undefined;
}

/** Exact ablation at the tokens [first, last] of model A together, in one layer. */
export function ablationCellRequest(
  view: View,
  model: ModelView,
  { rows: _, ...settings }: Replaced,
  foil: string,
  others: ReturnType<typeof otherPrompts>,
  layer: number,
  tokens: readonly [number, number],
): AnalysisRequestInput | undefined {
  const whole = ablationRequest(view, model, settings, foil, others);
  const cell = cellOf(view, model, settings.window, layer, tokens, whole);
  return whole?.kind === 'ablate' && cell ? { ...whole, ...cell } : undefined;
}

/** Multiples of λ that are tried. */
const DOSES = Array.from({ length: 9 }, (_, k) => k / 4);

/** The answer against λ of all layers of one model, or of one; undefined where it has none there. */
export function doseRequest(
  view: View,
  model: ModelView,
  layer: number | undefined,
  foil: string,
): AnalysisRequestInput | undefined {
  if (layer !== undefined && (layer >= model.layers || !isDiff(model.model.blocks[layer]))) return undefined;
  return {
    kind: 'lambda',
    ...questionOf(view, model, foil),
    prompt: promptOf(model),
    values: DOSES,
    relative: true,
    ...(layer === undefined ? { together: true } : { layers: [layer] }),
    ...(model.needle && { classes: classesIn(model) }),
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
