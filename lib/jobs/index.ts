export { Bench, type SweptModel, type SweptSource } from './bench';
export { type JobsPlace, placeOfEnvironment } from './connection';
export { type ItemReport, isOver, JobEngine, type Sweep, type SweepStatus } from './engine';
export { KINDS, type KindName, type RequestOf, type ResultOf } from './kinds';
export { evaluationOf } from './kinds/evaluation';
export { evaluationRequest, requestOfFile, sweptModel, sweptSource } from './request';
