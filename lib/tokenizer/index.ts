export { answerToken, answerTokens, firstOfSeveral, isUnknown, tokenSpan } from './answers';
export { type BpeTrainingOptions, trainBpe } from './bpe-training';
export {
  BUNDLED,
  bundledTokenizer,
  chosenTokenizer,
  fallbackNote,
  ownTokenizer,
  TOKENIZER_NAMES,
  type TokenizerChoice,
  type TokenizerPlaces,
  type TokenizerSource,
  tokenizerFor,
  tokenizerLabel,
} from './choice';
export { foreignTokenizer, tokenizerMissing } from './missing';
export {
  CHARACTERS_PER_TOKEN,
  type Encoding,
  loadTokenizer,
  parseTokenizer,
  type Token,
  type Tokenizer,
  tokenizerJson,
  tokenizerText,
} from './tokenizer';
