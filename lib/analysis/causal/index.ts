export * from './ablate';
export type { AlignedSpans } from './alignment';
export * from './attributionAblate';
export type { Agreement, CheckedAttribution, CheckedCell } from './attributionCheck';
export { checkedAttribution, checkedAttributionSteps } from './attributionCheck';
export * from './attributionKnockout';
export {
  type AttributedPoint,
  attributedEffects,
  attributionBudget,
  attributionPatch,
  attributionPatchSteps,
  type PatchAttribution,
  type PatchAttributionRequest,
} from './attributionPatch';
export * from './batch';
export { type Budget, DEFAULT_MEMORY, megabytes } from './budget';
export type { ClassColumn, TokenSet } from './columns';
export { type Component, UNITS, type Unit } from './components';
export * from './intervention';
export * from './knockout';
export type { Reads } from './knockoutHooks';
export * from './lambda';
export * from './patch';
export type { PatchRequest } from './patchPlan';
export type { PatchWarning } from './patchWarnings';
export { MIXERS, type Mixer, type Part } from './points';
export { layersOf, type Metric, metricOf, type Outline, type Question } from './question';
export type { Reading } from './reading';
export { METHODS, type Method, type Reference, type ReferenceUsed } from './referenceValues';
export { readsFrom } from './removedReads';
export * from './results';
