export { type AdaptiveSoftmax, adaptiveSoftmax } from './adaptive-softmax';
export { type LmSuiteConfig, type MixerSizes, type SubLayer, subLayersOf } from './config';
export type { DropoutOptions } from './dropout';
export { initialLmSuite } from './initialise';
export {
  createLmSuiteModel,
  type LmSuiteForwardOptions,
  type LmSuiteModel,
  type LmSuiteOptions,
  type LmSuiteTensor,
} from './model';
export { paperSuite, SUITE_DATASETS, type SuiteDataset } from './presets';
export { decaysInSuite, lmSuiteTensors, parameterCount } from './shapes';
