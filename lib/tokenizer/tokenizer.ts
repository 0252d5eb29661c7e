/**
 * Tokenizers of the `tokenizer.json` format. Vocabulary, templates and most decoders are those of
 * `@huggingface/tokenizers`; added tokens, normalisation, cutting into words, models and offsets are done here, since the
 * library gives no offsets and, version 0.2.0, differs from the Python package where comments say so.
 */

import { constants, existsSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { InputError } from '@/lib/input-error';
import { addedTokenSplitter, type Splitter } from './added-tokens';
import { type AlignedText, aligned, originOf, pieces, type Range, textOf } from './alignment';
import { bytesOf, showBytes } from './byte-level';
import { configured, type TokenizerConfig } from './config-file';
import { exactDecoder } from './decoder';
import {
  type AddedTokenDefinition,
  type Component,
  components,
  corrected,
  keepsText,
  type Model,
  type TokenizerDefinition,
} from './definition';
import { FewestTokens } from './fewest';
import { modelOf } from './model';
import { type Normalizer, normalizerOf, plainNormalizer } from './normalizer';
import { trimSpaces } from './offsets';
import { type PreTokenizer, preTokenizerOf } from './pre-tokenizer';
import { slowDefinition } from './slow-files';

export interface Token {
  readonly id: number;
  /** For the eye: spaces and line ends as themselves, bytes of a split character as `<0xE2>`. */
  readonly text: string;
  /** UTF-16 units of the original text, the end not included; tokens that are not in the text have an empty range. */
  readonly start: number;
  readonly end: number;
}

export interface Encoding {
  readonly ids: number[];
  readonly tokens: Token[];
}

export interface Tokenizer {
  readonly vocabSize: number;
  /** The spelling that stands for what the vocabulary does not know, where there is one. */
  readonly unknown: string | undefined;
  /** Ids and offsets of a text, as `encode` of the Python package gives them. Cost: linear in the text. */
  encode(text: string): Encoding;
  /**
   * The same for a text of at most so many tokens; nothing as soon as it is clear that it has more.
   * @param most refuses text that grows beyond 64 characters for each of them when it is normalised, too
   */
  encodeWithin(text: string, most: number): Encoding | undefined;
  /** The text of ids; ids outside the vocabulary (padded rows of an embedding) are passed over. */
  decode(ids: Iterable<number>, options?: { readonly skipSpecial?: boolean }): string;
  /** One token for the eye, as in `Token.text`; an empty text for ids outside the vocabulary. */
  tokenText(id: number): string;
  /** `tokenText` of every id from 0 on, for searching. Made once. */
  vocabulary(): readonly string[];
}

/** Bytes of a tokenizer.json; the largest that are published have about 35 MB. */
const LARGEST_TOKENIZER = 2 ** 27;

/** No vocabulary that is of use has longer tokens on average. */
export const CHARACTERS_PER_TOKEN = 64;

/** Text is looked at in pieces of so many UTF-16 units before it is tokenised. */
const PIECE = 4096;

/** Stands for the tokens of a text in a template; no vocabulary has it. */
const TEXT = '\u0000text';

/** Ends the encoding of a text that is too long. */
class TooLong extends Error {}

/** What a text may still take. */
class Room {
  #characters: number;

  constructor(public tokens: number) {
    this.#characters = CHARACTERS_PER_TOKEN * tokens;
  }

  /** @throws TooLong */
  take(tokens: number): void {
    this.tokens -= tokens;
    if (this.tokens < 0) throw new TooLong();
  }

  /** @throws TooLong */
  takeCharacters(characters: number): void {
    this.#characters -= characters;
    if (this.#characters < 0) throw new TooLong();
  }
}

/** A token on its way: its spelling in the vocabulary and where it came from. */
interface Placed {
  readonly spelling: string;
  readonly id: number;
  readonly range: Range;
}

class JsonTokenizer implements Tokenizer {
  readonly vocabSize: number;
  private readonly library: Library;
  private readonly normalize: Normalizer;
  private readonly cut: PreTokenizer;
  private readonly model: Model;
  private readonly exactDecode: ((tokens: readonly string[]) => string) | undefined;
  private readonly splitOriginal: Splitter;
  private readonly splitNormalized: Splitter;
  private readonly added: ReadonlyMap<number, AddedTokenDefinition>;
  private readonly byteLevel: boolean;
  /** The post-processor that trims spaces off the offsets, if any. */
  private readonly trimmer: Component | undefined;
  readonly unknown: string | undefined;
  private texts: readonly string[] | undefined;
  /** Where text can be normalised in pieces. */
  private readonly normalizePiece: ((piece: string) => string) | undefined;
  private readonly keepsText: boolean;
  private fewest: FewestTokens | undefined;

  constructor(private readonly definition: TokenizerDefinition) {
    // The Python package's decode does not tidy spaces; the library does unless told.
    this.library = new Library(corrected(definition), { clean_up_tokenization_spaces: false });
    this.cut = preTokenizerOf(definition.pre_tokenizer);
    this.exactDecode = exactDecoder(definition.decoder);
    this.model = modelOf(definition);
    this.normalize = normalizerOf(definition.normalizer, this.library.normalizer);
    const { added_tokens: added } = definition;
    const byContent = (tokens: readonly AddedTokenDefinition[], spelling: (content: string) => string) =>
      addedTokenSplitter(new Map(tokens.map((token) => [spelling(token.content), token])));
    this.splitOriginal = byContent(
      added.filter(({ normalized }) => !normalized),
      (content) => content,
    );
    this.splitNormalized = byContent(
      added.filter(({ normalized }) => normalized),
      (content) => textOf(this.normalize(aligned(content))),
    );
    this.added = new Map(added.map((token) => [token.id, token]));
    this.byteLevel = components(definition.pre_tokenizer).some(({ type }) => type === 'ByteLevel');
    this.trimmer = components(definition.post_processor).find(
      ({ type, trim_offsets: trims = true }) => trims && (type === 'ByteLevel' || type === 'RobertaProcessing'),
    );
    this.unknown = definition.model.unk_token ?? undefined;
    this.normalizePiece = plainNormalizer(definition.normalizer);
    this.keepsText = keepsText(definition);
    this.vocabSize = this.library.get_vocab().size;
  }

  encode(text: string): Encoding {
    return this.encodeInto(new Room(Number.POSITIVE_INFINITY), text);
  }

  encodeWithin(text: string, most: number): Encoding | undefined {
    try {
      const encoding = this.encodeInto(new Room(most), text);
      return encoding.ids.length > most ? undefined : encoding;
    } catch (error) {
      if (error instanceof TooLong) return undefined;
      throw error;
    }
  }

  private encodeInto(room: Room, text: string): Encoding {
    const placed: Placed[] = [];
    for (const { start, end, token } of this.splitOriginal(text)) {
      if (token) {
        room.take(1);
        placed.push({ spelling: token.content, id: token.id, range: [start, end] });
      } else {
        const section = this.normalizeWithin(room, text.slice(start, end), start);
        for (const one of this.encodeSection(section, room)) placed.push(one);
      }
    }
    const tokens = this.surround(this.trim(placed)).map(({ id, range: [start, end] }) => ({
      id,
      text: this.tokenText(id),
      start,
      end,
    }));
    return { ids: tokens.map(({ id }) => id), tokens };
  }

  /** A section of the text, normalised. @throws TooLong before much is done with one that is certainly too long. */
  private normalizeWithin(room: Room, section: string, start: number): AlignedText {
    const { normalizePiece } = this;
    if (normalizePiece && section.length > PIECE && room.tokens < Number.POSITIVE_INFINITY) {
      const inPieces = function* () {
        for (const piece of pieces(section, PIECE)) {
          const text = normalizePiece(piece);
          room.takeCharacters(text.length);
          yield text;
        }
      };
      this.fewest ??= new FewestTokens(this.keepsText ? this.spellings() : []);
      if (this.fewest.exceeds(inPieces(), room.tokens)) throw new TooLong();
    }
    return this.normalize(aligned(section, start));
  }

  /** The bytes of all tokens. */
  private *spellings(): Generator<Uint8Array> {
    const utf8 = new TextEncoder();
    // A vocabulary may leave ids out.
    for (const spelling of this.library.model?.vocab ?? [])
      if (spelling !== undefined) yield bytesOf(spelling) ?? utf8.encode(spelling);
    for (const { content } of this.definition.added_tokens) {
      yield utf8.encode(content);
      yield utf8.encode(textOf(this.normalize(aligned(content))));
    }
  }

  /** Normalised text in which added tokens may still be. */
  private encodeSection(section: AlignedText, room: Room): Placed[] {
    const found = this.splitNormalized(textOf(section));
    if (found.length === 1 && !found[0].token) return this.encodeWords(section, room);
    // Pieces follow one another, so one pass turns their UTF-16 positions into positions in the list of characters.
    let index = 0;
    let unit = 0;
    const indexAt = (position: number): number => {
      while (unit < position) unit += section[index++].text.length;
      return index;
    };
    return found.flatMap(({ start, end, token }): Placed[] => {
      const from = indexAt(start);
      const to = indexAt(end);
      if (!token) return this.encodeWords(section.slice(from, to), room);
      room.take(1);
      return [{ spelling: token.content, id: token.id, range: originOf(section, from, to) }];
    });
  }

  private encodeWords(characters: AlignedText, room: Room): Placed[] {
    const placed: Placed[] = [];
    for (const word of this.cut(characters)) {
      if (word.length === 0) continue;
      const pieces = this.model(textOf(word));
      room.take(pieces.length);
      for (const { id, from, to } of pieces) {
        const last = Math.min(to, word.length);
        const spelling = this.library.id_to_token(id) ?? '';
        placed.push({ spelling, id, range: originOf(word, Math.min(from, last - 1), last) });
      }
    }
    return placed;
  }

  private trim(placed: readonly Placed[]): readonly Placed[] {
    const { trimmer } = this;
    if (!trimmer) return placed;
    const addsPrefix = trimmer.add_prefix_space ?? true;
    return placed.map((token, i) => ({
      ...token,
      range: trimSpaces(token.spelling, token.range, i === 0, addsPrefix),
    }));
  }

  /** Adds what a template puts around the text (a token for its beginning, for example), with empty ranges. */
  private surround(placed: readonly Placed[]): readonly Placed[] {
    const all: readonly string[] = this.library.post_processor?._call([TEXT], null, true).tokens ?? [TEXT];
    const start = all.indexOf(TEXT);
    const around = (names: readonly string[]): Placed[] =>
      names.map((spelling) => ({ spelling, id: this.library.token_to_id(spelling) ?? 0, range: [0, 0] }));
    return [...around(all.slice(0, start)), ...placed, ...around(all.slice(start + 1))];
  }

  decode(ids: Iterable<number>, { skipSpecial = false }: { readonly skipSpecial?: boolean } = {}): string {
    const known = [...ids].filter(
      (id) => this.library.id_to_token(id) !== undefined && !(skipSpecial && this.added.get(id)?.special),
    );
    if (this.exactDecode) return this.exactDecode(known.map((id) => this.decodedToken(id)));
    // The library refuses an empty list.
    return known.length === 0 ? '' : this.library.decode(known);
  }

  /** The spelling that is decoded: of an added token that is looked for in normalised text, the normalised one. */
  private decodedToken(id: number): string {
    const added = this.added.get(id);
    return added?.normalized
      ? textOf(this.normalize(aligned(added.content)))
      : (this.library.id_to_token(id) as string);
  }

  tokenText(id: number): string {
    const spelling = this.library.id_to_token(id) ?? '';
    const bytes = this.byteLevel && !this.added.has(id) ? bytesOf(spelling) : undefined;
    return bytes ? showBytes(bytes) : spelling;
  }

  vocabulary(): readonly string[] {
    this.texts ??= Array.from({ length: this.library.model?.vocab.length ?? 0 }, (_, id) => this.tokenText(id));
    return this.texts;
  }
}

/** The text of a tokenizer's file, also compressed (.gz), that is not too large. Pipes and devices, which could wait for ever, are not opened. */
export async function tokenizerText(path: string): Promise<string> {
  const unreadable = (cause: NodeJS.ErrnoException): never => {
    throw new InputError(`The tokenizer ${path} cannot be read (${cause.code}).`);
  };
  const stats = await stat(path).catch(unreadable);
  if (!stats.isFile()) throw new InputError(`The tokenizer ${path} is not a file.`);
  if (stats.size > LARGEST_TOKENIZER)
    throw new InputError(
      `The tokenizer ${path} has ${stats.size} bytes, far more than any needs (${LARGEST_TOKENIZER}); replace the file.`,
    );
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(unreadable);
  try {
    const bytes = await file.readFile();
    return (path.endsWith('.gz') ? gunzipSync(bytes, { maxOutputLength: LARGEST_TOKENIZER }) : bytes).toString('utf8');
  } finally {
    await file.close();
  }
}

/**
 * Reads a tokenizer.json (also compressed, .gz) or a vocab.json with merges.txt beside it, and of a tokenizer_config.json which
 * tokens are put around a text.
 * @throws InputError where a file is missing, too large, not JSON, or of a kind that is not known
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const { text, config } = await filesOf(path);
  return parseTokenizer(text, basename(path), config ?? undefined);
}

/**
 * The same as the text of one tokenizer.json, to be kept with a model: that of the file where it is one and no
 * tokenizer_config.json changes it.
 * @throws InputError as {@link loadTokenizer}
 */
export async function tokenizerJson(path: string): Promise<string> {
  const { text, config } = await filesOf(path);
  return usable(basename(path), () => {
    const definition = parsed(text, basename(path));
    const own = configured(definition, JSON.parse(config ?? '{}') as TokenizerConfig);
    return own === definition ? text : JSON.stringify(own);
  });
}

/** The texts of tokenizer.json, or what vocab.json and its neighbours come to, and of tokenizer_config.json. */
async function filesOf(path: string): Promise<{ readonly text: string; readonly config: string | null }> {
  const beside = async (name: string) => {
    const file = join(dirname(path), name);
    return existsSync(file) ? tokenizerText(file) : null;
  };
  const label = basename(path);
  const config = await beside('tokenizer_config.json');
  if (label !== 'vocab.json') return { text: await tokenizerText(path), config };
  const files = {
    vocab: await tokenizerText(path),
    merges: await tokenizerText(join(dirname(path), 'merges.txt')),
    config,
    specials: await beside('special_tokens_map.json'),
    added: await beside('added_tokens.json'),
  };
  refusePointer(files.vocab, label);
  refusePointer(files.merges, 'merges.txt');
  return { text: usable(label, () => JSON.stringify(slowDefinition(files))), config };
}

/** The same from the files' texts. @throws InputError */
export const parseTokenizer = (text: string, label = 'tokenizer.json', config = '{}'): Tokenizer =>
  usable(label, () => new JsonTokenizer(configured(parsed(text, label), parsedConfig(config))));

function parsed(text: string, label: string): TokenizerDefinition {
  refusePointer(text, label);
  const definition = JSON.parse(text) as TokenizerDefinition;
  return { ...definition, added_tokens: definition.added_tokens ?? [] };
}

function refusePointer(text: string, label: string): void {
  if (!text.startsWith('version https://git-lfs.')) return;
  throw new InputError(
    `${label} is a Git LFS pointer and not the file itself; run \`git lfs install\` and \`git lfs pull\` in its folder.`,
  );
}

/** The settings beside a tokenizer. @throws InputError */
function parsedConfig(text: string): TokenizerConfig {
  const label = 'tokenizer_config.json';
  refusePointer(text, label);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${label} is not JSON (${(cause as Error).message}); replace the file.`);
  }
}

function usable<T>(label: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const remedy = cause instanceof SyntaxError ? '; replace the file, or choose another tokenizer.' : '';
    throw new InputError(`${label} is not a tokenizer that can be used: ${(cause as Error).message}${remedy}`);
  }
}
