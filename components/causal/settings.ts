import { create } from 'zustand';
import type { Mixer, PatchDirection, PatchMetric, PatchPoint } from '@/lib/vocabulary';
import type { ModelSlot } from '../state/selection';

export type CausalTest = 'patch' | 'knockout' | 'ablate' | 'intervene';
/** Empty for both. */
export type Branch = '' | Mixer;

/** A cell of the grid: a layer and a token of model A. */
export interface GridCell {
  readonly layer: number;
  readonly position: number;
}

/** What is changed in one model. */
export interface Changes {
  /** λ by layer, where it is not the model's own. */
  readonly lambdas: Readonly<Record<number, number>>;
  /** Parts that are switched off: "2", "2.mixer_1", "2.mixer_1.head.3" or "2.head.3". */
  readonly off: readonly string[];
}

export const NO_CHANGES: Changes = { lambdas: {}, off: [] };

export interface CausalSettings {
  readonly test: CausalTest;
  /** Null for the one made from the prompt. */
  readonly corrupted: string | null;
  readonly foil: string | null;
  readonly point: PatchPoint;
  readonly branch: Branch;
  readonly direction: PatchDirection;
  /** What the patched runs are compared by. */
  readonly measure: PatchMetric;
  /** Whether patches and removals are estimated at once, or made one by one. */
  readonly how: 'estimate' | 'exact';
  /** What has a row of its own in exact tests: a sentence, a token, or all tokens of a class. */
  readonly rows: 'sentences' | 'tokens' | 'classes';
  /** Layers that follow each other and are changed together in a patch or knock-out. */
  readonly window: number;
  readonly queries: 'later' | 'answer';
  readonly reads: 'scan' | 'block';
  /** Whether norms divide by what remains after a removal, as the model does, or as in the unchanged run. */
  readonly norms: 'rescale' | 'frozen';
  /** Tokens [first, last] of model A that are knocked out together. */
  readonly span: readonly [number, number] | null;
  readonly pin: GridCell | null;
  /** What stands in for what is switched off: nothing, its mean over other prompts, or over the prompt itself. */
  readonly method: 'zero' | 'mean' | 'self';
  /** By the name of the model, so that an exchange of A and B keeps them. */
  readonly changes: Readonly<Record<string, Changes>>;
}

export const useCausal = create<CausalSettings>()(() => ({
  test: 'patch',
  corrupted: null,
  foil: null,
  point: 'hook_resid_pre',
  branch: '',
  direction: 'denoise',
  measure: 'logit_difference',
  how: 'estimate',
  rows: 'sentences',
  window: 1,
  queries: 'later',
  reads: 'scan',
  norms: 'rescale',
  span: null,
  pin: null,
  method: 'zero',
  changes: {},
}));

/** What a row is called. */
export const ROW_NAMES = { sentences: 'sentence', tokens: 'token', classes: 'class' } as const satisfies Record<
  CausalSettings['rows'],
  string
>;

export const setCausal = (patch: Partial<CausalSettings>): void => useCausal.setState(patch);

/** Pins a cell, or frees it when it is pinned already. */
export function togglePin(cell: GridCell): void {
  const { pin } = useCausal.getState();
  setCausal({ pin: pin?.layer === cell.layer && pin.position === cell.position ? null : cell });
}

export const changesOf = ({ changes }: CausalSettings, model: string): Changes => changes[model] ?? NO_CHANGES;

export const isChanged = ({ lambdas, off }: Changes): boolean => Object.keys(lambdas).length + off.length > 0;

const setChanges = (model: string, next: Changes): void =>
  setCausal({ changes: { ...useCausal.getState().changes, [model]: next } });

/** Switches a part off, or on again. */
export function togglePart(model: string, part: string): void {
  const now = changesOf(useCausal.getState(), model);
  const off = now.off.includes(part) ? now.off.filter((other) => other !== part) : [...now.off, part];
  setChanges(model, { ...now, off });
}

/** Gives layers another λ; undefined is the model's own. */
export function setLambda(model: string, layers: readonly number[], value: number | undefined): void {
  const now = changesOf(useCausal.getState(), model);
  const lambdas = { ...now.lambdas };
  for (const layer of layers) {
    if (value === undefined) delete lambdas[layer];
    else lambdas[layer] = value;
  }
  setChanges(model, { ...now, lambdas });
}

export const restoreModels = (): void => setCausal({ changes: {} });

/** The name of a job of this page: one for each test and model. */
export const jobName = (test: string, slot: ModelSlot): string => `${test}.${slot}`;
