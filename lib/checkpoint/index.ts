export { loadCheckpoint } from './load';
export { encodeSafetensors, type OutputTensor, readSafetensors, writeSafetensors } from './safetensors';
export * from './types';
