export * from './allocation';
export { classesOf, type TokenSpans } from './classes';
export type { LayerReads } from './reads';
export * from './result';
export * from './summary';
