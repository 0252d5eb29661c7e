export * from './allocation';
export { CLASS, classesOf, foundNote, type TokenSpans } from './classes';
export {
  answered,
  keptReads,
  type LayerReads,
  needleAgainstContext,
  readsOfTerms,
  type UnreadLayer,
} from './reads';
export * from './result';
export * from './summary';
