export { type DecodingState, disposeState, extend } from './decode';
export { type Hook, type HookFunction, listen, matcher, silent, type Tap } from './hooks';
export { lossAndGradients, nextTokenLoss } from './loss';
export {
  type BlockOutput,
  createModel,
  type ForwardOptions,
  type Model,
  type ModelSettings,
  type Tokens,
  WEIGHT_FORMATS,
  type WeightFormat,
} from './model';
