import { create } from 'zustand';
import type { Continuation, LensKind } from '@/lib/api/schemas';
import { type BlockComponent, type DifferenceTerm, type Form, isReduced, PARALLEL_BRANCHES } from '@/lib/vocabulary';
import type { Metric } from '../charts/curve';
import type { LensColour } from '../charts/lensCells';
import { USUAL_CLIP, type ValueMode } from '../charts/values';
import type { MapWindow } from '../charts/window';
import type { LayerSpan, ShownForm } from './forms';

export type ModelSlot = 'A' | 'B';
/** Which mixer of a layer with two side by side; `single` is both. */
export const PARALLEL_MIXERS = [...PARALLEL_BRANCHES, 'single'] as const;
export type ParallelMixer = (typeof PARALLEL_MIXERS)[number];
/** How channels become one matrix; `one` is the single head or channel chosen for each model. */
export type Reduction = 'mean' | 'mean_abs' | 'max' | 'one';
/** Positions that the lens grid shows: the last ones, the needle's, those around the read-out, or a page. */
export type LensRows = 'last' | 'needle' | 'position' | `page-${number}`;

export interface Cell {
  readonly destination: number;
  readonly source: number;
}

/** Spans of characters of the prompt, [start, end). */
export type Spans = readonly (readonly [number, number])[];

/** What the researcher has chosen. Token indices are those of model A. */
export interface Selection {
  readonly modelA: string;
  /** Empty for none. */
  readonly modelB: string;
  /** Empty for a text of one's own. */
  readonly exampleId: string;
  readonly prompt: string;
  /** The end of the prompt as a model generated it; null where the text alone says the tokens. */
  readonly continuation: Continuation | null;
  /** Read-out token; −1 is the last. */
  readonly position: number;
  readonly target: string;
  /** The generated token that is the target; null where its text says it. */
  readonly targetId: number | null;
  /** Words whose curves stand beside the target's. */
  readonly also: readonly string[];
  /** Characters [start, end) of the prompt. */
  readonly needle: readonly [number, number] | null;
  /** What names another answer, and the question: classes of tokens, in characters as the needle is. */
  readonly competing: Spans;
  readonly question: Spans;
  readonly candidates: readonly string[];
  readonly runId: string;
  /** −1 until one is chosen: the view then picks a telling one. */
  readonly layer: number;
  readonly branch: DifferenceTerm;
  readonly form: ShownForm;
  /** Of a layer with attention beside a scan; `single` is both together, in the forms in which they have a sum. */
  readonly mixer: ParallelMixer;
  /** Over how many layers the form `s6` is shown. */
  readonly span: LayerSpan;
  /** Parts that are left out of the form `block`. */
  readonly without: readonly BlockComponent[];
  readonly reduction: Reduction;
  /** Head or channel per model, used by the reduction `one`. */
  readonly part: Readonly<Record<ModelSlot, number>>;
  readonly values: ValueMode;
  readonly sharedScale: boolean;
  /** Quantile of |value| at which colours saturate. */
  readonly clip: number;
  /** |value| at which colours saturate instead, where one was given. */
  readonly limit: number | null;
  /** Whether B − A is shown beside both maps. */
  readonly difference: boolean;
  /** Whether all branches of differential blocks are shown instead of one map a model. */
  readonly allBranches: boolean;
  /** Whether the means over rows and columns are shown. */
  readonly marginals: boolean;
  /** The shown part of the maps, in tokens of model A; null for all. */
  readonly window: MapWindow | null;
  readonly metric: Metric;
  readonly logAxis: boolean;
  /** Whether the signal is drawn as in the paper's figure. */
  readonly paper: boolean;
  /** The batch whose means stand behind this prompt; empty for none. */
  readonly batchId: string;
  /** Through which lens signal and grid are read, where the models have a tuned one. */
  readonly lens: LensKind;
  /** Whether the tracks along the sequence are shown. */
  readonly tracks: boolean;
  readonly lensColour: LensColour;
  readonly lensRows: LensRows;
  readonly lock: Cell | null;
}

export const INITIAL_SELECTION: Selection = {
  modelA: '',
  modelB: '',
  exampleId: '',
  prompt: '',
  continuation: null,
  position: -1,
  target: '',
  targetId: null,
  also: [],
  needle: null,
  competing: [],
  question: [],
  candidates: [],
  runId: '',
  layer: -1,
  branch: 'diff',
  form: 's6',
  mixer: 'single',
  span: 'layer',
  without: [],
  reduction: 'mean',
  part: { A: 0, B: 0 },
  values: 'linear',
  sharedScale: true,
  clip: USUAL_CLIP,
  limit: null,
  difference: false,
  allBranches: false,
  marginals: false,
  window: null,
  metric: 'p',
  logAxis: true,
  paper: false,
  batchId: '',
  lens: 'logit',
  tracks: false,
  lensColour: 'top',
  lensRows: 'last',
  lock: null,
};

/** Whether values of a reduction over channels have a sign. */
export const isSignedReduction = (reduction: Reduction): boolean => reduction === 'mean' || reduction === 'one';

/** Whether a form has channels to reduce; contributions are sums over all of them. */
export const reduces = (form: Form): boolean => form !== 'logit' && form !== 'norm';

/** The span that applies: products over layers exist of the form `s6`. */
export const spanOf = ({ form, span }: Pick<Selection, 'form' | 'span'>): LayerSpan => (form === 's6' ? span : 'layer');

/** The reduction that applies: rows that are divided by their sums are of magnitudes, because signs may cancel. */
export const reductionOf = (selection: Pick<Selection, 'form' | 'span' | 'reduction'>): Reduction =>
  spanOf(selection) === 'normalised' ? 'mean_abs' : selection.reduction;

/** Whether a product over layers is shown in place of one layer's map. */
export const overLayers = (selection: Pick<Selection, 'form' | 'span'>): boolean => spanOf(selection) !== 'layer';

/** Whether the values of the maps have a sign. */
export function isSigned(selection: Pick<Selection, 'form' | 'span' | 'reduction'>): boolean {
  const { form } = selection;
  const span = spanOf(selection);
  if (span !== 'layer' && !isReduced(span)) return false;
  return reduces(form) ? isSignedReduction(reductionOf(selection)) : form === 'logit';
}

/** Whether maps are of sizes of values with a sign: the difference of two branches of them is signed all the same. */
export const isOfSizes = (selection: Pick<Selection, 'form' | 'span' | 'reduction'>): boolean =>
  reduces(selection.form) && !isSignedReduction(reductionOf(selection));

/** Chooses over which layers maps are shown; products have no branches, and only means over channels. */
export function selectSpan(span: LayerSpan): void {
  const { reduction } = useSelection.getState();
  const product = { allBranches: false, reduction: reduction === 'mean_abs' ? reduction : 'mean' } as const;
  select({ span, ...(span === 'layer' ? {} : product) });
}

export const useSelection = create<Selection>()(() => INITIAL_SELECTION);

/** Changes the selection. Another prompt or target has none of the generated tokens of the one before. */
export const select = (patch: Partial<Selection>): void =>
  useSelection.setState({
    ...('prompt' in patch && { continuation: null }),
    ...('target' in patch && { targetId: null }),
    ...patch,
  });

/** Locks a cell of the maps, or unlocks it when it is locked already. */
export function toggleLock(cell: Cell): void {
  const { lock } = useSelection.getState();
  const same = lock?.destination === cell.destination && lock.source === cell.source;
  select({ lock: same ? null : cell });
}

export function swapModels(): void {
  const { modelA, modelB, part } = useSelection.getState();
  if (modelB) select({ modelA: modelB, modelB: modelA, part: { A: part.B, B: part.A } });
}
