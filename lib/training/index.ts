export {
  AdamW,
  type AdamWOptions,
  type AdamWState,
  clipGlobalNorm,
  decaysInLanguageModels,
  type Moments,
} from './adamw';
export { parseTrainingConfig, type TrainingConfig, trainingSchema } from './config';
export { accuracy, predictions } from './evaluate';
export { INITIAL, type InitialOptions, initialCheckpoint } from './initialise';
export { learningRate, type Schedule } from './schedule';
export { type TrainingMetrics, type TrainOptions, type TrainResult, trainFromConfig } from './train';
export { createTrainer, type StepReport, type Trainer } from './trainer';
