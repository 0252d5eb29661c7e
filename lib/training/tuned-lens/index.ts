export { readChunks } from './chunks';
export { type TunedLensResult, type TunedLensRun, trainTunedLens } from './train';
export {
  createTunedLensTrainer,
  TUNED_LENS_DEFAULTS,
  type TunedLensOptions,
  type TunedLensReport,
  type TunedLensTrainer,
} from './trainer';
