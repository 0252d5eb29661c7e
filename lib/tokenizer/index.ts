export { answerToken, isUnknown, tokenSpan } from './answers';
export {
  CHARACTERS_PER_TOKEN,
  type Encoding,
  loadTokenizer,
  parseTokenizer,
  type Token,
  type Tokenizer,
} from './tokenizer';
