export type { AlignedSpans } from './alignment';
export { type Budget, DEFAULT_MEMORY, megabytes } from './budget';
export { drain, type Steps } from './continuation';
export * from './knockout';
export type { Reads } from './knockoutHooks';
export * from './patch';
export { MIXERS, type Mixer, type Part } from './points';
export type { Metric, Question } from './question';
export { readsFrom } from './removedReads';
