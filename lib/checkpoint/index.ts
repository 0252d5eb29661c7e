export type { OutputTensor } from '@/lib/safetensors';
export { isComplete } from './complete';
export { defaultLambdaInit } from './config-common';
export { writeStatescope } from './config-statescope';
export { withoutMark } from './json';
export { type LoadOptions, loadCheckpoint } from './load';
export { type NpzOptions, npzChunks, writeNpz } from './npz';
export {
  defaultRoots,
  describeModel,
  findModels,
  hubCache,
  type ListOptions,
  listModels,
  type ModelFolder,
  type ModelListing,
  problemOf,
  type ResolveOptions,
  resolveModel,
} from './registry';
export { readSafetensors, type SafetensorsTensor, writeSafetensors } from './safetensors';
export { type SavedTensor, type SaveOptions, saveCheckpoint } from './save';
export { type HfTensor, type SaveHfOptions, saveHfCheckpoint } from './save-hf';
export { expectedTensors } from './schema';
export { readTorchFile } from './torch-file';
export { type TorchTensor, writeTorchFile } from './torch-save';
export * from './types';
