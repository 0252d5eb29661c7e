/** Vocabularies of single bytes and characters, as tokenizer.json files, so that a model trained on them reads prompts. */

import { BYTE_ALPHABET } from '@/lib/tokenizer/byte-level';

const NOTHING = { version: '1.0', truncation: null, padding: null, added_tokens: [], post_processor: null };

/** Token i is byte i. */
export const byteTokenizer = (): object => ({
  ...NOTHING,
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
  decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    vocab: Object.fromEntries(BYTE_ALPHABET.map((character, byte) => [character, byte])),
    merges: [],
  },
});

/** Token i is character i of the list. */
export const characterTokenizer = (characters: readonly string[]): object => ({
  ...NOTHING,
  normalizer: null,
  pre_tokenizer: { type: 'Split', pattern: { Regex: '[\\s\\S]' }, behavior: 'Isolated', invert: false },
  decoder: { type: 'Fuse' },
  model: {
    type: 'BPE',
    // None: other characters are passed over, as the Python package does too.
    unk_token: null,
    vocab: Object.fromEntries(characters.map((character, id) => [character, id])),
    merges: [],
  },
});
