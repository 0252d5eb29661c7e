export {
  type BabilongLine,
  type BabilongResults,
  type BabilongSettings,
  babilongEvaluation,
} from './babilong';
export { evaluationPrompt } from './babilong-samples';
export { type CostLine, type CostResults, type CostSettings, costEvaluation, flopsPerToken } from './cost';
export {
  type Criterion,
  criteria,
  type Emergence,
  type EmergenceReport,
  emergence,
  type LagLoss,
  type ReadOut,
  readBatch,
  readOuts,
} from './emergence';
export type { Arm, Asked, Evaluation, Figure, Item, Line, ModelFacts, Reader } from './evaluation';
export { EVALUATION_NAMES, EVALUATIONS, type EvaluationName } from './evaluations';
export { type Estimated, estimated, estimatedRatio, resamplingOf } from './intervals';
export { labelsOf, TASKS } from './labels';
export { type LmLine, type LmResults, type LmSettings, lmEvaluation, positionBounds } from './lm';
export { type Prediction, parsePredictions, type ScoreCell, type Scored, scorePredictions } from './predictions';
export { macroAccuracy, type RecallLine, type RecallResults, type RecallSettings, recallEvaluation } from './recall';
export { type Opening, type RunOptions, runEvaluation, type Summary, summaryOf, writeResults } from './run';
export { type Answered, type Score, score } from './score';
export { fingerprint } from './store';
export { type MadEvaluationSettings, type MqarSettings, madEvaluation, mqarEvaluation } from './suites';
