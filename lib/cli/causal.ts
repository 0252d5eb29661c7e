import { type Command, Option } from 'commander';
import { type Agreement, type Budget, DEFAULT_MEMORY, MIXERS, type Mixer, megabytes, type Span } from '@/lib/analysis';
import { type Checkpoint, InputError, type ModelConfig } from '@/lib/checkpoint';
import {
  answerTokens,
  firstOfSeveral,
  loadTokenizer,
  type Tokenizer,
  tokenizerMissing,
  tokenSpan,
} from '@/lib/tokenizer';
import { type ClassSpans, sentenceSpans } from '@/lib/vocabulary';
import { layersOf } from './blocks';
import type { Io } from './io';
import { type CommonOptions, withCommon, withOut } from './options';
import { choices, wholeNumber, words } from './parse';
import { type NamedToken, namerOf } from './tokenizers';

/** Options that the causal tests share. */
export interface CausalOptions extends CommonOptions {
  /** Mandatory unless a command says otherwise. */
  readonly target: string;
  readonly foil?: string;
  readonly layers: string;
  readonly position: number;
  readonly mixer?: Mixer[];
  readonly maxMemory: number;
}

/** Model, prompt, question, layers and memory, as the causal tests take them. */
export function withCausal(
  command: Command,
  { targetRequired = true, layers = true, model }: { targetRequired?: boolean; layers?: boolean; model?: Option } = {},
): Command {
  withOut(withCommon(command, model))
    .addOption(new Option('--target <token>', 'the answer: a token id, or a word').makeOptionMandatory(targetRequired))
    .option('--foil <token>', 'the wrong answer that it is held against: a token id, or a word')
    .option('--position <n>', 'position that is read; negative numbers count from the end', position, -1)
    .option(
      '--max-memory <mb>',
      'refuse what would take more beside the weights',
      wholeNumber('--max-memory', 1),
      megabytes(DEFAULT_MEMORY),
    );
  return layers ? command.option('--layers <list>', 'layer numbers from 0, or "all"', 'all') : command;
}

/** For tests that can be limited to one mixer. */
export const withMixer = (command: Command): Command =>
  command.option('--mixer <name>', 'one mixer of differential blocks: mixer_1, mixer_2', choices('--mixer', MIXERS));

function position(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new InputError(`--position takes a whole number, not "${text}".`);
}

/** The mixer, layers and bytes of the options, as the analyses take them. */
export const causalRequest = (options: CausalOptions, config: ModelConfig) => ({
  mixer: options.mixer?.[0],
  layers: options.layers === 'all' ? undefined : layersOf(options.layers, config),
  memory: options.maxMemory * 2 ** 20,
});

/** Target and foil as token ids; says where a word has several, of which only the first is read. @throws InputError where the vocabulary does not have them. */
export async function questionOf(
  { target, foil }: { readonly target: string; readonly foil?: string },
  checkpoint: Checkpoint,
  io: Io,
): Promise<{ target: number; foil?: number }> {
  return {
    target: await tokenOf('target', target, checkpoint, io),
    ...(foil !== undefined && { foil: await tokenOf('foil', foil, checkpoint, io) }),
  };
}

/** Which tokens the target and the foil are: said on the terminal, and part of every JSON. */
export async function namedQuestion(
  { target, foil }: { readonly target: number; readonly foil?: number },
  checkpoint: Checkpoint,
  io: Io,
): Promise<{ target: NamedToken; foil?: NamedToken }> {
  const named = await namerOf(checkpoint);
  const question = { target: named(target), ...(foil !== undefined && { foil: named(foil) }) };
  const shown = Object.entries(question).map(([role, { id, text }]) =>
    text === null ? `${role}: token ${id}` : `${role}: token ${id}, ${JSON.stringify(text)}`,
  );
  io.err(`${shown.join('; ')}\n`);
  return question;
}

const tokenOf = async (role: string, text: string, checkpoint: Checkpoint, io: Io): Promise<number> => {
  const tokens = await answerOf(text, checkpoint);
  if (tokens.length > 1) io.err(`${firstOfSeveral(role, text, tokens)}\n`);
  return tokens[0].id;
};

/** All tokens of an answer: a token id, or a word. @throws InputError where the vocabulary does not have it. */
export async function answerOf(
  text: string,
  { tokenizerPath, name, path }: Checkpoint,
): Promise<readonly { readonly id: number; readonly text: string }[]> {
  if (/^\d+$/.test(text)) return [{ id: Number(text), text: `#${text}` }];
  if (!tokenizerPath)
    throw new InputError(`${tokenizerMissing(name, path)}; without one, "${text}" must be given as a token id.`);
  const tokens = answerTokens(await loadTokenizer(tokenizerPath), text);
  if (tokens.length > 0) return tokens;
  throw new InputError(`The vocabulary of ${name} does not contain "${text}": give another word, or a token id.`);
}

/** What the columns of a test of one prompt are. */
export interface RowOptions {
  readonly rows?: ('token' | 'sentence' | 'class')[];
  readonly needle?: string;
  readonly competing?: string;
  readonly question?: string;
}

export const withRows = (command: Command, kinds = 'token, sentence or class of tokens'): Command =>
  command
    .option('--rows <kind>', `each ${kinds}`, choices('--rows', ['token', 'sentence', 'class'] as const))
    .option('--needle <text|start:end>', 'of classes: what decides the answer, a part of the prompt, or tokens')
    .option('--competing <list>', 'of classes: what names another answer, parts of the prompt, or tokens start:end')
    .option('--question <list>', 'of classes: the question, a part of the prompt, or tokens start:end');

/**
 * The columns that options ask for; nothing where they ask for none.
 * @param text of the prompt whose tokens are changed, where it is one @param read position that is read, in that prompt
 * @throws InputError
 */
export async function columnsAsked(
  { rows, needle, competing, question }: RowOptions,
  { tokenizerPath }: Checkpoint,
  prompts: {
    readonly clean?: string;
    readonly changed?: string;
    readonly read: number;
    readonly spans?: readonly Span[];
  },
): Promise<{ spans?: Span[]; classes?: ClassSpans }> {
  const kind = rows?.[0] ?? (needle === undefined ? undefined : 'class');
  const said = Object.entries({ needle, competing, question }).find(([, text]) => text !== undefined)?.[0];
  if (kind !== 'class' && said) throw new InputError(`--${said} is of classes: take --rows class, or leave it out.`);
  if (kind === undefined || kind === 'token') return {};
  if (prompts.spans) throw new InputError(`Take spans or --rows ${kind}, not both.`);
  const tokenizer = tokenizerPath ? await loadTokenizer(tokenizerPath) : undefined;
  if (kind === 'sentence') {
    if (prompts.changed === undefined || !tokenizer)
      throw new InputError('Sentences are known of a text: give the prompt as --prompt, or spans of tokens.');
    const { tokens } = tokenizer.encode(prompts.changed);
    const position = prompts.read < 0 ? tokens.length + prompts.read : prompts.read;
    return { spans: sentenceSpans({ tokens, position }) };
  }
  if (needle === undefined) throw new InputError('Classes begin with what decides the answer: give --needle.');
  const parts = (name: string, text: string | undefined) => partsOf(name, text, prompts.clean, tokenizer);
  return {
    classes: {
      needle: parts('--needle', needle)[0],
      competing: parts('--competing', competing),
      question: parts('--question', question),
    },
  };
}

/** Of a test whose changes can be estimated by one backward pass. */
export interface EstimateOptions {
  readonly attribution?: boolean;
  readonly check?: number;
}

export const withAttribution = (command: Command): Command =>
  command
    .option('--attribution', 'estimate all cells at once by one backward pass')
    .option(
      '--check <n>',
      'of an attribution: compute the strongest n cells of every kind exactly, too (0)',
      wholeNumber('--check', 0),
    );

/** How the cells of a causal test come about. */
export const WAYS = ['exact', 'attribution'] as const;
export type Way = (typeof WAYS)[number];

/**
 * Whether cells are estimated: `--attribution`, or `--method attribution`, which is the same.
 * @throws InputError where both ways are named
 */
export function isEstimate(attribution: boolean | undefined, named: readonly string[] = []): true | undefined {
  const estimated = attribution || named.includes('attribution');
  if (estimated && named.includes('exact')) throw new InputError('exact and attribution are two ways: take one.');
  return estimated || undefined;
}

/** @throws InputError for options that only an attribution has. */
export function requireAttribution({ attribution, check }: EstimateOptions): void {
  if (!attribution && check !== undefined)
    throw new InputError('--check is of an attribution: give --attribution too, or leave it out.');
}

/** Three digits; a dash where it is not defined, as a correlation of one or two cells. */
const correlationText = (value: number): string => (Number.isFinite(value) ? value.toFixed(3) : '–');

/** How far exact cells agree with their estimates, in words that begin with a colon; nothing where none were computed. */
export const agreementText = (
  agreement: (Pick<Agreement, 'rank_correlation' | 'correlation'> & { readonly cells: readonly unknown[] }) | undefined,
  done: string,
): string =>
  agreement
    ? `: ${agreement.cells.length} cells ${done}, rank correlation ${correlationText(agreement.rank_correlation)}, correlation ${correlationText(agreement.correlation)}`
    : '';

/** The target of a test of one prompt. @throws InputError where there is none */
export function requireTarget({ target }: { readonly target?: string }): void {
  if (target === undefined)
    throw new InputError(
      "The required option '--target <token>' is missing: give the answer, or a batch as --examples.",
    );
}

/** A parser of token spans `start:end`, the end not included, separated by commas. */
export const spansOf = (option: string) => (text: string) =>
  words(option)(text).map((part): Span => {
    const [, start, end] = /^(\d{1,9}):(\d{1,9})$/.exec(part) ?? [];
    if (start !== undefined && Number(start) < Number(end)) return [Number(start), Number(end)];
    throw new InputError(`${option} takes spans of tokens such as 3:5, the end not included, not "${part}".`);
  });

/** Says what a run will take. */
export const announce = (io: Io, what: string, { rows, bytes }: Budget): void =>
  io.err(`${what}, ${rows} at a time, about ${megabytes(bytes)} MB beside the weights\n`);

/** `3`, or `3:5` for a span of several tokens. */
export const spanName = ([start, end]: Span): string => (end === start + 1 ? String(start) : `${start}:${end}`);

/** `3`, or `3–5` for layers that follow each other. */
export function layersName(layers: readonly number[]): string {
  const [first, last] = [layers[0], layers[layers.length - 1]];
  if (layers.length === 1) return String(first);
  return last - first === layers.length - 1 ? `${first}–${last}` : layers.join(' ');
}

/** Rows for people: the largest by magnitude first. */
export const strongest = <T>(rows: readonly T[], size: (row: T) => number, count = 20): T[] =>
  [...rows].sort((a, b) => Math.abs(size(b)) - Math.abs(size(a))).slice(0, count);

const TOKENS = /^\d{1,9}:\d{1,9}(,\d{1,9}:\d{1,9})*$/;

/** Spans of tokens, given as such or as parts of the prompt that stand in it once. @throws InputError */
export function partsOf(
  name: string,
  text: string | undefined,
  prompt: string | undefined,
  tokenizer?: Tokenizer,
): Span[] {
  if (text === undefined) return [];
  if (TOKENS.test(text))
    return text.split(',').map((part) => {
      const [start, end] = part.split(':').map(Number);
      if (start < end) return [start, end];
      throw new InputError(`${name} takes tokens as start:end with start before end, not "${part}".`);
    });
  if (prompt === undefined || !tokenizer)
    throw new InputError(`${name} takes tokens as start:end where there is no prompt; "${text}" is a text.`);
  // One part may hold commas: a whole text that stands in the prompt is one part.
  const parts = prompt.includes(text) ? [text] : text.split(',').map((part) => part.trim());
  const encoded = tokenizer.encode(prompt).tokens;
  return parts.map((part) => {
    const at = prompt.indexOf(part);
    if (at < 0 || part === '') throw new InputError(`${name}: the prompt does not contain "${part}".`);
    if (prompt.indexOf(part, at + 1) >= 0)
      throw new InputError(`${name}: the prompt contains "${part}" more than once; give tokens as start:end.`);
    const span = tokenSpan(encoded, [at, at + part.length]);
    if (span) return span;
    throw new InputError(`${name}: "${part}" holds no token of the prompt.`);
  });
}
