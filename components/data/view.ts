import type { BlockSummary, Continuation, Run, RunModel, Token } from '@/lib/api/schemas';
import { type Branch, type Form, type TokenClass, tokenClasses } from '@/lib/vocabulary';
import { type Region, wholeMap } from '../charts/pyramid';
import { alignTokens, tokensInSpan } from '../charts/tokens';
import type { MapWindow } from '../charts/window';
import type { ShownForm } from '../state/forms';
import { type ModelSlot, overLayers, reduces, type Selection, type Spans } from '../state/selection';

/** One model of the run on the page. Token indices here are the model's own unless said otherwise. */
export interface ModelView {
  readonly slot: ModelSlot;
  readonly run: Run;
  /** Index in the run. */
  readonly index: number;
  readonly name: string;
  readonly model: RunModel;
  readonly tokens: readonly Token[];
  readonly layers: number;
  readonly position: number;
  /** The token whose signal is read. */
  readonly target: string;
  /** First and last token of the needle. */
  readonly needle?: readonly [number, number];
  /** Spans of tokens [start, end) that name another answer, and those of the question. */
  readonly competing: Spans;
  readonly question: Spans;
  /** Of every token up to the read-out. */
  readonly classes: readonly TokenClass[];
  /** Own token index for each token of model A, −1 where the two do not match; undefined where both agree. */
  readonly fromA?: Int32Array;
  /** Token index of model A for each own token, −1 where they do not match; undefined where both agree. */
  readonly toA?: Int32Array;
}

/** Everything the figures need of run and selection. */
export interface View {
  readonly run: Run;
  /** Model or prompt changed after the run: figures keep the run's values. */
  readonly stale: boolean;
  readonly models: readonly ModelView[];
  /** Blocks of the deepest model. */
  readonly layers: number;
  readonly layer: number;
  /** Read-out token of model A. */
  readonly position: number;
  readonly target: string;
  readonly tokens: readonly Token[];
}

const sameNames = (a: readonly string[], b: readonly string[]) => [...a].sort().join('\n') === [...b].sort().join('\n');

export const chosenModels = (selection: Pick<Selection, 'modelA' | 'modelB'>): string[] =>
  selection.modelB ? [selection.modelA, selection.modelB] : [selection.modelA];

/** Whether something is subtracted in a block, so that it has a λ. */
export const isDiff = (block: BlockSummary | undefined): boolean => block !== undefined && block.lambdaInit !== null;

/** Whether what is subtracted are two scans, each with maps and heads of its own. */
export const hasBranches = (block: BlockSummary | undefined): boolean => block?.branches.includes('mixer_1') ?? false;

/** Whether attention and a scan stand side by side in a block. */
export const isParallel = (block: BlockSummary | undefined): boolean => block?.branches.includes('attention') ?? false;

/** Whether a block has a recurrence, whose channels have statistics and whose tokens have tracks. */
export const hasScan = (block: BlockSummary | undefined): boolean =>
  block !== undefined && block.branches.length > 0 && !block.softmax?.includes('single');

/** The form in which a branch of a block has what is chosen: the own map of attention is its softmax weights. */
export const formAt = (block: BlockSummary | undefined, branch: Branch, form: ShownForm): Form =>
  form === 's6' && block?.softmax?.includes(branch) ? 'softmax' : form;

/** The block that a page without a chosen layer opens: a differential one near two fifths of the depth. */
export function tellingLayer(models: readonly Pick<RunModel, 'blocks'>[]): number {
  const layers = Math.max(1, ...models.map((model) => model.blocks.length));
  const wish = 0.4 * (layers - 1);
  const score = (layer: number) =>
    Math.abs(layer - wish) - (models.some((model) => isDiff(model.blocks[layer])) ? layers : 0);
  return Array.from({ length: layers }, (_, layer) => layer).reduce(
    (best, k) => (score(k) < score(best) ? k : best),
    0,
  );
}

/**
 * The layer whose maps stand in for those of the chosen one while the run has not come to it: the first computed one that has
 * maps, so that something is to be seen at once and nothing changes on the way.
 */
export function mapsLayer({ run, models, layer }: Pick<View, 'run' | 'models' | 'layer'>): number {
  const thatHave = (k: number) => models.filter(({ model }) => k < model.mapsReady);
  if (run.state !== 'running' || thatHave(layer).length > 0) return layer;
  for (let k = 0; thatHave(k).length > 0; k++)
    if (thatHave(k).some(({ model }) => model.blocks[k]?.branches.length > 0)) return k;
  return layer;
}

const sameTokens = (a: readonly Token[], b: readonly Token[]) =>
  a.length === b.length && a.every((token, k) => token.start === b[k].start && token.end === b[k].end);

/** @param a the model whose tokens the selection counts; `stale` keeps the run's own read-out and needle. */
export function modelView(
  selection: Pick<Selection, 'position' | 'needle' | 'competing' | 'question'>,
  of: Pick<ModelView, 'run' | 'index' | 'slot' | 'target'> & { readonly a: RunModel; readonly stale: boolean },
): ModelView {
  const { run, index, slot, target, a, stale } = of;
  const model = run.models[index];
  const { tokens } = model;
  const agrees = sameTokens(tokens, a.tokens);
  const fromA = agrees ? undefined : alignTokens(a.tokens, tokens);
  const last = tokens.length - 1;
  const wanted = Math.min(selection.position, a.tokens.length - 1);
  const own = wanted < 0 ? last : fromA ? fromA[wanted] : wanted;
  const spanOfRun = model.needle ? ([model.needle[0], model.needle[1] - 1] as const) : undefined;
  const position = stale ? model.position : own < 0 ? last : own;
  const needle = stale ? spanOfRun : tokensInSpan(tokens, selection.needle ?? undefined);
  // Spans of another text say nothing of this one.
  const [competing, question] = [selection.competing, selection.question].map((spans) =>
    stale ? [] : ownSpans(tokens, spans, position),
  );
  return {
    slot,
    run,
    index,
    target,
    position,
    needle,
    competing,
    question,
    classes: tokenClasses(position + 1, { needle: needle && [needle[0], needle[1] + 1], competing, question }),
    name: model.name,
    model,
    tokens,
    layers: model.blocks.length,
    fromA,
    toA: agrees ? undefined : alignTokens(tokens, a.tokens),
  };
}

/** Spans of characters as spans [start, end) of a model's own tokens, those that begin up to the read-out. */
const ownSpans = (tokens: readonly Token[], spans: Spans, position: number): Spans =>
  spans.flatMap((span) => {
    const own = tokensInSpan(tokens, span);
    return own && own[0] <= position ? [[own[0], Math.min(own[1], position) + 1] as const] : [];
  });

const VIEW_KEYS = [
  'modelA',
  'modelB',
  'prompt',
  'continuation',
  'position',
  'target',
  'needle',
  'competing',
  'question',
  'layer',
] as const satisfies readonly (keyof Selection)[];

/** The part of the selection that a view depends on. */
export type ViewSelection = Pick<Selection, (typeof VIEW_KEYS)[number]>;

export const viewSelection = (selection: Selection): ViewSelection =>
  Object.fromEntries(VIEW_KEYS.map((key) => [key, selection[key]])) as unknown as ViewSelection;

const sameEnd = (a: Continuation | null | undefined, b: Continuation | null | undefined): boolean =>
  a === b || (a?.start === b?.start && a?.ids.join() === b?.ids.join());

/** What a model is asked to read: its text, or where the run's end was generated the very tokens. */
export const promptOf = ({ run, tokens }: ModelView): string | number[] =>
  run.request.continuation ? tokens.map(({ id }) => id) : run.request.prompt;

/** The target as further questions name it: by its id where the run does. */
export const targetOf = ({ run, model, target }: ModelView): string | number =>
  run.request.target_id !== undefined && target === run.request.target ? model.target.id : target.trim();

/** Undefined until the run knows its models. Cost: one pass over the tokens. */
export function makeView(selection: ViewSelection, run: Run | null): View | undefined {
  if (!run || run.models.length === 0 || run.models.some((model) => model.tokens.length === 0)) return undefined;
  const names = run.models.map((model) => model.name);
  const stale =
    !sameNames(names, chosenModels(selection)) ||
    run.request.prompt !== selection.prompt ||
    !sameEnd(run.request.continuation, selection.continuation ?? undefined);
  const swapped = run.models.length === 2 && names[0] !== names[1] && names[0] === selection.modelB;
  const order = swapped ? [1, 0] : run.models.map((_, index) => index);
  const a = run.models[order[0]];
  const target = stale ? run.request.target : selection.target;
  const models = order.map((index, k) =>
    modelView(selection, { run, index, slot: k === 0 ? 'A' : 'B', target, a, stale }),
  );
  const layers = Math.max(...models.map((model) => model.layers));
  const chosen = selection.layer < 0 ? tellingLayer(run.models) : selection.layer;
  return {
    run,
    stale,
    models,
    layers,
    layer: Math.min(Math.max(0, chosen), Math.max(0, layers - 1)),
    position: models[0].position,
    target,
    tokens: a.tokens,
  };
}

/** A token index of model A as the model's own, or undefined where nothing matches. */
export function ownToken(model: ModelView, ofA: number | undefined): number | undefined {
  if (ofA === undefined || ofA < 0) return undefined;
  const own = model.fromA ? model.fromA[ofA] : ofA;
  return own === undefined || own < 0 || own >= model.tokens.length ? undefined : own;
}

/** The row under the pointer, else the locked one, else the read-out, in a model's own tokens. */
export function shownRow(model: ModelView, hovered: number | undefined, locked: number | undefined): number {
  return ownToken(model, hovered) ?? ownToken(model, locked) ?? model.position;
}

/** A model's own token index as that of model A, or undefined where nothing matches. */
export function tokenOfA(model: ModelView, own: number): number | undefined {
  const ofA = model.toA ? model.toA[own] : own;
  return ofA < 0 ? undefined : ofA;
}

/** The token of model A that stands nearest to a model's own token. */
export function nearestOfA(model: ModelView, own: number): number {
  const { toA } = model;
  if (!toA) return own;
  for (let step = 0; step < toA.length; step++) {
    if (toA[own - step] >= 0) return toA[own - step];
    if (toA[own + step] >= 0) return toA[own + step];
  }
  return 0;
}

/** The part of a model's own map [L, L] that a window over the tokens of model A shows; all of it without a window. */
export function ownRegion(model: ModelView, window: MapWindow | null): Region {
  const { fromA, tokens } = model;
  const L = tokens.length;
  const axis = ([from, to]: readonly [number, number]): [number, number] => {
    if (!fromA) return [Math.min(from, L - 1), Math.min(to, L)];
    const inside = Array.from(fromA.subarray(from, to)).filter((own) => own >= 0);
    return inside.length > 0 ? [inside[0], inside[inside.length - 1] + 1] : [0, L];
  };
  if (!window) return wholeMap(L);
  const [rows, columns] = [axis(window.rows), axis(window.columns)];
  return { row0: rows[0], row1: rows[1], column0: columns[0], column1: columns[1] };
}

/** The branch to ask for at one layer: `single` for blocks with one mixer. Two mixers side by side have no sum of their own maps. */
export function branchAt(
  model: ModelView,
  layer: number,
  selection: Pick<Selection, 'branch' | 'mixer' | 'form' | 'span'>,
): Branch {
  const block = model.model.blocks[layer];
  const { branch, mixer, form } = selection;
  if (hasBranches(block)) return branch;
  if (!isParallel(block) || overLayers(selection)) return 'single';
  return mixer === 'single' && reduces(form) ? 'mamba' : mixer;
}

/** Whether any block of the model is differential. */
export const hasDiff = (model: ModelView): boolean => model.model.blocks.some(isDiff);

export const BRANCH_NAMES: Readonly<Record<Branch, string>> = {
  single: 'scan',
  attention: 'attention',
  mamba: 'Mamba',
  mixer_1: 'mixer 1',
  mixer_2: 'mixer 2',
  lambda_mixer_2: 'λ·mixer 2',
  diff: 'difference',
};

/** What a block is called; runs of earlier versions do not say. */
export const blockName = ({ label, kind }: BlockSummary): string => label ?? kind;
