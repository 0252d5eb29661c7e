/** The vocabulary of GPT-2 and GPT-NeoX in two files, vocab.json and merges.txt, as transformers turns them into tokenizer.json. */

import type { AddedTokenDefinition, TokenizerDefinition } from './definition';

/** Texts of the files of a folder; null for those that it does not have. */
export interface SlowFiles {
  readonly vocab: string;
  readonly merges: string;
  /** tokenizer_config.json, special_tokens_map.json, added_tokens.json. */
  readonly config: string | null;
  readonly specials: string | null;
  readonly added: string | null;
}

/** What GPT-2's tokenizer takes for its special tokens where nobody says otherwise. */
const END_OF_TEXT = '<|endoftext|>';

const ROLES = ['bos_token', 'eos_token', 'unk_token', 'pad_token', 'sep_token', 'cls_token', 'mask_token'];

type Json = Readonly<Record<string, unknown>>;
type Spelled = Partial<Omit<AddedTokenDefinition, 'id'>>;

const parsed = (text: string | null): Json => (text === null ? {} : (JSON.parse(text) as Json));

const spelled = (token: unknown): Spelled =>
  typeof token === 'string' ? { content: token } : ((token ?? {}) as Spelled);

/** Special tokens by their roles: as strings, as objects, or as the list of additional ones. */
function specialTokens(json: Json): Spelled[] {
  const more = json.additional_special_tokens;
  return [...ROLES.map((role) => json[role]), ...(Array.isArray(more) ? more : [])].map(spelled);
}

/**
 * The same vocabulary as a tokenizer.json: byte-level BPE, composed first where it is GPT-NeoX's, with the tokens that were
 * added later and the special ones that have an id.
 * @throws SyntaxError for a file that is not JSON; Error for merges that are not pairs
 */
export function slowDefinition({ vocab, merges, config, specials, added }: SlowFiles): TokenizerDefinition {
  const ids = parsed(vocab) as Readonly<Record<string, number>>;
  const settings = parsed(config);
  const tokens = new Map<string, AddedTokenDefinition>();
  const add = (id: unknown, { content, lstrip = false, rstrip = false, ...rest }: Spelled, special: boolean) => {
    if (content === undefined || typeof id !== 'number' || tokens.has(content)) return;
    const { normalized = !special, single_word = false } = rest;
    tokens.set(content, { id, content, lstrip, rstrip, normalized, single_word, special });
  };
  for (const [id, token] of Object.entries((settings.added_tokens_decoder ?? {}) as Json))
    add(Number(id), spelled(token), spelled(token).special ?? false);
  const later = parsed(added);
  const known = (content = '') => later[content] ?? ids[content];
  for (const token of [...specialTokens(settings), ...specialTokens(parsed(specials)), { content: END_OF_TEXT }])
    add(known(token.content), token, true);
  for (const [content, id] of Object.entries(later)) add(id, { content }, false);
  const pairs = merges.split(/\r?\n/).filter((line, k) => line !== '' && !(k === 0 && line.startsWith('#version')));
  const odd = pairs.find((pair) => pair.split(' ').length !== 2);
  if (odd !== undefined) throw new Error(`merges.txt has the line ${JSON.stringify(odd)}, which is not a pair.`);
  return {
    added_tokens: [...tokens.values()].sort((a, b) => a.id - b.id),
    normalizer: /^GPTNeoX/.test(String(settings.tokenizer_class)) ? { type: 'NFC' } : null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: settings.add_prefix_space === true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab: ids,
      merges: pairs,
    },
  };
}
