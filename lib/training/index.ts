export {
  AdamW,
  type AdamWOptions,
  type AdamWState,
  clipFactor,
  decaysInLanguageModels,
  globalNorm,
  type Moments,
} from './adamw';
export {
  type LossWeights,
  parseTrainingConfig,
  type Stage,
  stagesOf,
  type TrainingConfig,
  trainingSchema,
} from './config';
export { type Accuracy, type AnswerSample, accuracy, type Evaluation, evaluate, predictions } from './evaluate';
export { Feed } from './feed';
export { INITIAL, type InitialOptions, initialCheckpoint } from './initialise';
export { type LambdaReport, lambdasOf } from './lambda';
export type { TrainingMetrics } from './metrics';
export { learningRate, type Schedule } from './schedule';
export { type TrainOptions, type TrainResult, trainFromConfig } from './train';
export { type StepReport, Trainer } from './trainer';
