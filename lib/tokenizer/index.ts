export { answerToken, isUnknown, tokenSpan } from './answers';
export { type Encoding, loadTokenizer, parseTokenizer, type Token, type Tokenizer } from './tokenizer';
