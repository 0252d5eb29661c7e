import { describe, expect, it } from 'vitest';
import { retrievalVocabulary, tokenizerJson } from '@/lib/data/word-tokenizer';
import { parseTokenizer } from '@/lib/tokenizer';
import { readWithEnd } from './pieces';

const words = parseTokenizer(JSON.stringify(tokenizerJson(retrievalVocabulary())), 'words');
/** Of two ways to write "ab", reading the text always takes the one in a single token. */
const letters = parseTokenizer(
  JSON.stringify({
    model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, c: 3 }, merges: ['a b'] },
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    added_tokens: [],
  }),
  'letters',
);

describe('readWithEnd', () => {
  it('keeps the ids that were generated, however their text would be read', () => {
    expect(letters.encode('cab').ids).toEqual([3, 2]);
    const tokens = readWithEnd(letters, 'cab', { start: 1, ids: [0, 1] });
    expect(tokens?.map(({ id, text, start, end }) => [id, text, start, end])).toEqual([
      [3, 'c', 0, 1],
      [0, 'a', 1, 2],
      [1, 'b', 2, 3],
    ]);
  });

  it('places words where the text has them, as reading does', () => {
    const prompt = 'Mary went to the garden. Where is Mary';
    const start = prompt.indexOf(' is');
    const ids = words.encode('is Mary').ids;
    expect(readWithEnd(words, prompt, { start, ids })).toEqual(words.encode(prompt).tokens);
  });

  it('gives up where the ids make another text', () => {
    expect(readWithEnd(letters, 'cab', { start: 1, ids: [1, 0] })).toBeUndefined();
    expect(readWithEnd(letters, 'cab', { start: 1, ids: [0] })).toBeUndefined();
    expect(readWithEnd(letters, 'cab', { start: 1, ids: [0, 1, 3] })).toBeUndefined();
    expect(readWithEnd(letters, 'cab', { start: 1, ids: [99] })).toBeUndefined();
  });
});
