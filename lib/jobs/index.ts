export { Bench, type SweptModel, type SweptSource } from './bench';
export {
  type ItemReport,
  type Items,
  isComplete,
  isOver,
  itemsOn,
  JobEngine,
  NoSuchSweep,
  type Sweep,
  type SweepState,
  type SweepStatus,
  stateOf,
} from './engine';
export { Withdrawn } from './kind';
export { KINDS, type KindName, type RequestOf, type ResultOf } from './kinds';
export { evaluationOf } from './kinds/evaluation';
export { type JobsPlace, placeOfEnvironment } from './place';
export {
  evaluationRequest,
  type PromptSweep,
  requestOfFile,
  requireSweep,
  sweptModel,
  sweptSource,
} from './request';
