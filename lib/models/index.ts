export { type Decoder, extend } from './decode';
export {
  type DecodingState,
  disposeState,
  editState,
  exportState,
  joinStates,
  type StateTensor,
} from './decoding-state';
export { type Hook, type HookFunction, listen, matcher, silent, type Tap } from './hooks';
export { importState } from './import-state';
export { lossAndGradients, nextTokenLoss } from './loss';
export {
  type BlockOutput,
  createModel,
  type ForwardOptions,
  keptFormat,
  type Model,
  type ModelSettings,
} from './model';
export type { LogitPositions, Tokens } from './positions';
export { tokenLosses } from './token-losses';
export { defaultWeightFormat, isMatrix } from './weight-format';
