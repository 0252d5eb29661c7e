import { type Command, Option } from 'commander';
import { type Budget, DEFAULT_MEMORY, MIXERS, type Mixer, megabytes, type Span } from '@/lib/analysis';
import { type Checkpoint, InputError, type ModelConfig } from '@/lib/checkpoint';
import { answerTokens, firstOfSeveral, loadTokenizer, tokenizerMissing } from '@/lib/tokenizer';
import { layersOf } from './blocks';
import type { Io } from './io';
import { type CommonOptions, withCommon, withOut } from './options';
import { choices, wholeNumber, words } from './parse';
import { type NamedToken, namerOf } from './tokenizers';

/** Options that the causal tests share. */
export interface CausalOptions extends CommonOptions {
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
  { target, foil }: Pick<CausalOptions, 'target' | 'foil'>,
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

/** Rows for people: the largest by magnitude first. */
export const strongest = <T>(rows: readonly T[], size: (row: T) => number, count = 20): T[] =>
  [...rows].sort((a, b) => Math.abs(size(b)) - Math.abs(size(a))).slice(0, count);
