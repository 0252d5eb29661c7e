export { type NextToken, nextToken } from './distribution';
export {
  type Generated,
  type GenerateOptions,
  type GenerationStep,
  generate,
  generateEach,
  generationSteps,
} from './generate';
export { type Sampling, sampler } from './sampling';
