export * from './allocation';
export { answerLogprob, answerLogprobSteps, answerLogprobs, severalTokens } from './answerScore';
export {
  type AttentionRequest,
  attentionBytes,
  gradientBytes,
  type MapForm,
  mapBytes,
  requireFinite,
  requireMemory,
} from './attentionCost';
export * from './attribution';
export type { Without } from './blockFold';
export { type BlockMap, blockForm } from './blockForm';
export * from './bootstrap';
export { capturedBlocks } from './capturedBlocks';
export * from './causal';
export {
  type ChannelStatistics,
  channelStatistics,
  NEAREST,
} from './channelStatistics';
export { type ShareMeasure, shareSteps } from './contributionRollout';
export type { ContributionMap } from './contributions';
export { logitDirection, logitDirections } from './direction';
export * from './faithfulness';
export {
  attributionCodeMap,
  attributionMap,
  type OutputGradients,
  outputGradients,
  streamGradients,
} from './gradientAttribution';
export * from './lens';
export { finalResidual, type LogitMap, logitForm } from './logitForm';
export { type NormProgress, normForm, normSteps } from './normForm';
export { type Operator, operatorOf, type ScanParameters, scanParameters } from './operator';
export { type Residuals, residualsOf } from './residuals';
export { type RolloutOptions, rollout, rolloutSteps } from './rollout';
export * from './s6Attention';
export * from './snr';
export * from './snrBatch';
export { attentionBlockForm, softmaxMap } from './softmaxForm';
export type { Span } from './span';
export * from './steps';
export { type TokenTracks, tokenTracks } from './tokenTracks';
export { type ChannelValue, type PairQuery, topChannels } from './topChannels';
export * from './tunedLens';
