import { entryLabels } from '@/lib/analysis';
import type { Continuation, RunModel, RunRequest, Token, VocabularyEntry } from '@/lib/api/schemas';
import type { ModelConfig } from '@/lib/checkpoint';
import {
  answerToken,
  answerTokens,
  CHARACTERS_PER_TOKEN,
  type Encoding,
  firstOfSeveral,
  isUnknown,
  type Tokenizer,
  tokenSpan,
} from '@/lib/tokenizer';
import { ServiceError } from '../../errors';
import type { Spelled, Unspelled } from '../../readers/protocol';
import type { Settings } from '../../settings';
import { blockSummary } from '../maps/branches';
import { checkDefaultMaps } from '../maps/map-memory';
import type { Catalogue } from '../models/catalogue';
import { activationBytes } from './estimate';
import { Pieces, readWithEnd } from './pieces';

const VOCABULARY_MATCHES = 50;

/** Turns the text of a request into token ids, spans and targets, or says why that cannot be. */
export class Prompts {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly settings: Settings,
    /** Told of a model before its tokenizer is at work, which may take for ever. */
    private readonly beginning: (model: string) => void,
  ) {}

  /** @throws ServiceError 404, 413, 422. */
  async tokenize(model: string, text: string, continuation?: Continuation): Promise<Token[]> {
    this.#checkLength(text);
    return this.#read(model, await this.tokenizer(model), text, continuation);
  }

  /** @throws ServiceError 404, 422. */
  tokenizer(model: string): Promise<Tokenizer> {
    this.beginning(model);
    return this.catalogue.tokenizer(model);
  }

  /** The tokens of a text as they are, for a reader in another thread; nothing where it has more than `most`. */
  async encodeWithin(model: string, text: string, most: number): Promise<Encoding | null> {
    return (await this.tokenizer(model)).encodeWithin(text, most) ?? null;
  }

  /** The tokens of an answer; none where the vocabulary does not know it. */
  async answerTokens(model: string, text: string): Promise<Token[]> {
    this.#checkLength(text);
    return answerTokens(await this.tokenizer(model), text);
  }

  /** A token that was generated, in words. */
  async spell(model: string, { token, before, text }: Unspelled): Promise<Spelled> {
    const tokenizer = await this.tokenizer(model);
    const pieces = new Pieces(tokenizer, before, text);
    const spelling = tokenizer.tokenText(token.id);
    const target = answerToken(tokenizer, spelling);
    return {
      token: {
        ...token,
        text: spelling,
        piece: pieces.next(token.id),
        as_target: target ? { id: target.id, text: target.text } : null,
        alternatives: token.alternatives.map((other) => ({ ...other, text: tokenizer.tokenText(other.id) })),
      },
      text: pieces.text,
    };
  }

  /** Token ids of a text, or ids as they are given. @throws ServiceError 404, 413, 422; InputError. */
  async ids(name: string, prompt: string | readonly number[], continuation?: Continuation): Promise<number[]> {
    const config = await this.catalogue.config(name);
    if (typeof prompt === 'string') {
      const tokens = await this.tokenize(name, prompt, continuation);
      this.#checkTokens(name, config, tokens);
      return tokens.map(({ id }) => id);
    }
    this.#checkCount(name, prompt.length);
    const stranger = prompt.find((id) => id >= config.V);
    if (stranger === undefined) return [...prompt];
    throw new ServiceError(
      422,
      `Token id ${stranger} is outside the vocabulary of ${name}, which has ${config.V} rows.`,
    );
  }

  /** The first token of an answer, or an id as it is given. @throws ServiceError 404, 422; InputError. */
  async answer(name: string, token: string | number): Promise<number> {
    if (typeof token === 'number') return token;
    return firstToken(name, await this.catalogue.config(name), await this.tokenizer(name), token).id;
  }

  /** What is to be said of words of several tokens whose first alone is read, by the names of their roles. @throws ServiceError 404, 422. */
  async firstTokensOf(
    name: string,
    words: Readonly<Record<string, string | number | undefined>>,
  ): Promise<string | undefined> {
    const notes: string[] = [];
    for (const [role, word] of Object.entries(words)) {
      const tokens = typeof word === 'string' ? await this.answerTokens(name, word) : [];
      if (tokens.length > 1) notes.push(firstOfSeveral(role, word as string, tokens));
    }
    return notes.join(' ') || undefined;
  }

  /** Tokens whose text contains the query, exact and leading matches first, case ignored. */
  async vocabulary(model: string, query: string, limit = VOCABULARY_MATCHES): Promise<VocabularyEntry[]> {
    const wanted = query.trim().toLowerCase();
    const tokenizer = await this.tokenizer(model);
    const ranked = tokenizer.vocabulary().flatMap((text, id) => {
      const bare = text.trim().toLowerCase();
      const at = bare.indexOf(wanted);
      if (at < 0 || text === '') return [];
      return [{ entry: { id, text }, rank: bare.length === wanted.length ? 0 : at === 0 ? 1 : 2 }];
    });
    ranked.sort((a, b) => a.rank - b.rank || a.entry.text.length - b.entry.text.length || a.entry.id - b.entry.id);
    return ranked.slice(0, limit).map(({ entry }) => entry);
  }

  /** @throws ServiceError 404, 413, 422; InputError for a damaged checkpoint. */
  async prepare(request: RunRequest): Promise<RunModel[]> {
    this.#checkLength(request.prompt);
    const { needle, prompt } = request;
    if (needle && needle[1] > prompt.length)
      throw new ServiceError(422, `The needle ends at character ${needle[1]}, the prompt at ${prompt.length}.`);
    const prepared: RunModel[] = [];
    let bytes = 0;
    for (const name of request.models) {
      const config = await this.catalogue.config(name);
      const warnings = await this.catalogue.warnings(name);
      const choice = await this.catalogue.tokenizerChoice(name);
      const model = {
        ...this.#prepareModel(name, config, await this.tokenizer(name), request),
        ...(warnings.length > 0 && { warnings: [...warnings] }),
        ...(choice && { tokenizer: { name: choice.name, source: choice.source } }),
      };
      bytes += activationBytes(config, model.tokens.length);
      checkDefaultMaps(config, model.tokens.length, this.settings.mapBytes);
      prepared.push(model);
    }
    if (bytes > this.settings.runBytes)
      throw new ServiceError(
        422,
        `This run would keep ${megabytes(bytes)} MB of activations; the limit is ${megabytes(this.settings.runBytes)} MB.`,
        'Shorten the prompt, run one model at a time, or raise STATESCOPE_RUN_MEMORY_MB.',
      );
    return prepared;
  }

  #prepareModel(name: string, config: ModelConfig, tokenizer: Tokenizer, request: RunRequest): RunModel {
    const tokens = this.#read(name, tokenizer, request.prompt, request.continuation);
    this.#checkTokens(name, config, tokens);
    const last = tokens.length - 1;
    if (request.position > last)
      throw new ServiceError(
        422,
        `Position ${request.position} is outside the prompt, which ${name} reads as ${tokens.length} tokens.`,
        `Choose 0 to ${last}, or −1 for the last.`,
      );
    const exact = exactTarget(config, tokenizer, request);
    const target = exact ?? firstToken(name, config, tokenizer, request.target);
    const answer = exact ? [] : answerTokens(tokenizer, request.target).map(({ id, text }) => ({ id, text }));
    const stranger = answer.find(({ id }) => id >= config.V);
    if (stranger) throw strangerError(name, config.V, stranger.text, stranger.id);
    const candidates = (request.candidates ?? []).map((text) => firstToken(name, config, tokenizer, text));
    return {
      name,
      tokens,
      position: request.position < 0 ? last : request.position,
      needle: request.needle ? tokenSpan(tokens, request.needle) : null,
      target,
      ...(answer.length > 1 && { answer }),
      candidates: [...new Map(candidates.map((entry) => [entry.id, entry])).values()],
      entries: entryLabels(config.blocks.length),
      blocks: config.blocks.map(blockSummary),
      mapsReady: 0,
      signalReady: false,
      lensReady: false,
    };
  }

  /** The tokens of a prompt; its end exactly as it was generated, where the vocabulary is that of the generation. */
  #read(name: string, tokenizer: Tokenizer, prompt: string, continuation?: Continuation): Token[] {
    const { maxTokens } = this.settings;
    // A little too long is told exactly, far too long is not read to its end.
    const most = 2 * maxTokens;
    const tokens =
      (continuation && readWithEnd(tokenizer, prompt, continuation, most)) ??
      tokenizer.encodeWithin(prompt, most)?.tokens;
    if (!tokens) throw tooLong(`The prompt is longer than ${most} tokens for ${name}; the limit is ${maxTokens}.`);
    this.#checkCount(name, tokens.length);
    return tokens.map((token) => (isUnknown(tokenizer, prompt, token) ? { ...token, unknown: true } : token));
  }

  #checkLength(text: string): void {
    const limit = CHARACTERS_PER_TOKEN * this.settings.maxTokens;
    if (text.length <= limit) return;
    throw new ServiceError(
      413,
      `The text has ${text.length} characters; at most ${limit} are read.`,
      `Shorten it: a run takes up to ${this.settings.maxTokens} tokens.`,
    );
  }

  #checkTokens(name: string, { V }: ModelConfig, tokens: readonly Token[]): void {
    if (tokens.length === 0) throw new ServiceError(422, `${name} reads no token in this prompt.`, 'Type some words.');
    this.#checkCount(name, tokens.length);
    const stranger = tokens.find(({ id }) => id >= V);
    if (stranger) throw strangerError(name, V, stranger.text, stranger.id);
  }

  #checkCount(name: string, length: number): void {
    const { maxTokens } = this.settings;
    if (length <= maxTokens) return;
    throw tooLong(`The prompt is ${length} tokens long for ${name}; the limit is ${maxTokens}.`);
  }
}

const tooLong = (message: string) =>
  new ServiceError(422, message, 'Shorten it, or raise STATESCOPE_MAX_TOKENS if there is memory for it.');

/** The target that a request names by its id, where the vocabulary writes it as the request does. */
function exactTarget({ V }: ModelConfig, tokenizer: Tokenizer, { target, target_id: id }: RunRequest) {
  return id !== undefined && id < V && tokenizer.tokenText(id) === target ? { id, text: target } : undefined;
}

const megabytes = (bytes: number) => Math.ceil(bytes / 1024 / 1024);

const strangerError = (name: string, V: number, text: string, id: number) =>
  new ServiceError(
    422,
    `"${text}" is token ${id} of the tokenizer, but ${name} has only ${V} rows in its vocabulary.`,
    'The tokenizer.json in its folder belongs to another model.',
  );

/**
 * The first token of an answer as it follows a prompt.
 * @throws ServiceError 422 when the vocabulary does not know it.
 */
function firstToken(name: string, { V }: ModelConfig, tokenizer: Tokenizer, answer: string): VocabularyEntry {
  const first = answerToken(tokenizer, answer);
  if (!first)
    throw new ServiceError(
      422,
      `The vocabulary of ${name} does not contain "${answer}".`,
      'Choose an answer that GET /api/vocabulary finds.',
    );
  if (first.id >= V) throw strangerError(name, V, first.text, first.id);
  return { id: first.id, text: first.text };
}
