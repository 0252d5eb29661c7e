export {
  CONVERSION_KINDS,
  CONVERSION_LAYOUTS,
  type ConversionKind,
  type ConversionLayout,
  type ConversionOptions,
  convertCheckpoint,
  convertedConfig,
} from './convert';
export { chosenBlocks, type Pattern } from './pattern';
