export { type Generated, type GenerateOptions, generate, generateEach } from './generate';
export { type Sampling, sampler } from './sampling';
