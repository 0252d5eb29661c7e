export { type Estimated, estimated, resamplingOf } from './intervals';
export { labelsOf, TASKS } from './labels';
export { type Prediction, parsePredictions, type ScoreCell, type Scored, scorePredictions } from './predictions';
export { type Answered, type Score, score } from './score';
