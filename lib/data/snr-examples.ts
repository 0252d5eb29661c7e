import { z } from 'zod';
import type { SnrExample, Span } from '@/lib/analysis';
import { withoutMark } from '@/lib/checkpoint/json';
import { InputError } from '@/lib/checkpoint/types';
import { answerTokens, type Encoding, type Token, type Tokenizer, tokenSpan } from '@/lib/tokenizer';
import { competingSentences, defaultPair, examplePrompt, noSuchField, type Pair } from '@/lib/vocabulary';

const span = z.tuple([z.number().int().nonnegative(), z.number().int().positive()]);
const token = z.union([z.string().min(1), z.number().int().nonnegative()]);

/** One line of a file of examples. */
const lineSchema = z
  .strictObject(
    {
      prompt: z.string().min(1).optional(),
      tokens: z.array(z.number().int().nonnegative()).min(1).optional(),
      context: z.string().optional(),
      question: z.string().optional(),
      target: token.optional(),
      answer: token.optional(),
      foil: token.optional(),
      candidates: z.array(token).optional(),
      needle: span.optional(),
      unit: z.enum(['characters', 'tokens']).optional(),
      classes: z.strictObject({ competing: z.array(span).optional(), question: z.array(span).optional() }).optional(),
      position: z.number().int().nonnegative().optional(),
      corrupted: z.union([z.string().min(1), z.array(z.number().int().nonnegative()).min(1)]).optional(),
    },
    { error: noSuchField },
  )
  .refine((line) => (line.target ?? line.answer) !== undefined, 'it needs a target or an answer')
  .refine(
    (line) => line.prompt ?? line.tokens ?? line.context,
    'it needs a prompt, tokens, or a context with a question',
  );

type Line = z.infer<typeof lineSchema>;

/** A line that has the right form, with what it is called in a sentence. */
export interface SnrLine {
  readonly line: Line;
  readonly where: string;
}

/** Makes tokens of words, here or in another thread. */
export interface TextReader {
  /** Nothing where the text has more than `most` tokens. */
  encodeWithin(text: string, most: number): Encoding | undefined | Promise<Encoding | undefined>;
  /** The tokens of an answer; none where the vocabulary does not know it. */
  answer(text: string): readonly Token[] | Promise<readonly Token[]>;
}

export const readerOf = (tokenizer: Tokenizer): TextReader => ({
  encodeWithin: (text, most) => tokenizer.encodeWithin(text, most),
  answer: (text) => answerTokens(tokenizer, text),
});

export interface ReadingOptions {
  /** Waited for after each example, with how many there are. */
  readonly onExample?: (done: number) => Promise<void>;
  /** Most tokens of an example. */
  readonly maxTokens?: number;
  /** What is thrown for an example that has more. */
  readonly tooLong?: (where: string, maxTokens: number) => Error;
  /** Every example has a corrupted prompt: its own, or the prompt with its answer exchanged, see {@link pairOf}. */
  readonly pairs?: boolean;
}

const longLine = (where: string, maxTokens: number) =>
  new InputError(`${where} is longer than ${maxTokens} tokens: shorten it.`);

/**
 * Examples from JSON lines:
 *
 *     {"prompt": "Mary went to the garden. … Answer:", "target": "garden", "needle": [0, 24], "candidates": ["garden", "office"]}
 *     {"tokens": [5, 9, 12], "target": 7, "needle": [0, 2]}
 *     {"context": "…", "question": "Where is Mary?", "answer": "garden"}
 *
 * The first token of " " + target is the target; `answer` is another word for it. A needle is [start, end) in characters
 * (UTF-16 units) of a prompt and in tokens of `tokens`, unless `unit` says otherwise. A context with a question becomes the
 * prompt of the paper's script. `classes: {competing: [[s, e], …], question: [[s, e]]}` are spans like the needle's: what names
 * another answer, and the question; of a prompt with candidates and no `competing`, the sentences that name another of them. `position` is where to read, in tokens; default the last. `foil` is a wrong
 * answer, where logits are differences to it. `corrupted` is the prompt, or its tokens, that patching holds it against.
 * @param reader asked for where a line holds text
 * @throws InputError naming the line, and a field that examples do not have.
 */
export async function parseSnrExamples(
  text: string,
  source: string,
  reader: () => Promise<TextReader>,
  {
    onExample = async () => undefined,
    maxTokens = Number.POSITIVE_INFINITY,
    tooLong = longLine,
    pairs = false,
  }: ReadingOptions = {},
): Promise<SnrExample[]> {
  const examples: SnrExample[] = [];
  for (const line of snrLines(text, source)) {
    examples.push(await example(line));
    await onExample(examples.length);
  }
  return examples;

  async function example({ line, where }: SnrLine): Promise<SnrExample> {
    const prompt = examplePrompt(line);
    const encoding = prompt === undefined ? undefined : await (await reader()).encodeWithin(prompt, maxTokens);
    if ((prompt !== undefined && !encoding) || (line.tokens?.length ?? 0) > maxTokens) throw tooLong(where, maxTokens);
    const made = pairs && line.corrupted === undefined ? pairOf({ line, where }) : undefined;
    const corrupted = made?.corrupted ?? line.corrupted;
    const other = typeof corrupted === 'string' ? await (await reader()).encodeWithin(corrupted, maxTokens) : undefined;
    if ((typeof corrupted === 'string' && !other) || (!other && (corrupted?.length ?? 0) > maxTokens))
      throw tooLong(`The corrupted prompt of ${where}`, maxTokens);
    const foil = line.foil ?? made?.foil;
    const idsOf = async (value: string | number) => {
      if (typeof value === 'number') return [value];
      const found = await (await reader()).answer(value);
      if (found.length > 0) return found.map(({ id }) => id);
      throw new InputError(`${where}: the vocabulary does not contain "${value}".`);
    };
    const idOf = async (value: string | number) => (await idsOf(value))[0];
    const answer = await idsOf(line.target ?? (line.answer as string | number));
    const inCharacters = encoding && line.unit !== 'tokens';
    const needle = line.needle && inCharacters ? tokenSpan(encoding.tokens, line.needle) : line.needle;
    if (line.needle && !needle) throw new InputError(`${where}: the needle holds no token of the prompt.`);
    const inTokens = (name: 'competing' | 'question') =>
      line.classes?.[name]?.map((one) => {
        const found = inCharacters ? tokenSpan(encoding.tokens, one) : one;
        if (found) return found;
        throw new InputError(`${where}: the ${name} span [${one}] holds no token of the prompt.`);
      });
    const found = encoding && prompt !== undefined ? competingIn(line, prompt, encoding.tokens) : undefined;
    return {
      tokens: encoding?.ids ?? line.tokens ?? [],
      target: answer[0],
      ...(answer.length > 1 && { answer }),
      foil: foil === undefined ? undefined : await idOf(foil),
      ...(corrupted !== undefined && { corrupted: other?.ids ?? (corrupted as number[]) }),
      ...(made && { made: true as const }),
      candidates: line.candidates && (await Promise.all(line.candidates.map(idOf))),
      needle: needle ?? undefined,
      competing: found ?? inTokens('competing'),
      ...(found && { found: true as const }),
      question: inTokens('question'),
      position: line.position,
    };
  }
}

/** What competes where a line has candidates and does not say it; nothing where it says it, or where there is none. */
function competingIn(
  { target, answer, candidates, needle, unit, classes }: Line,
  prompt: string,
  tokens: readonly Token[],
): Span[] | undefined {
  const words = candidates?.filter((word) => typeof word === 'string');
  const asked = target ?? answer;
  if (classes?.competing || !words?.length || typeof asked !== 'string') return undefined;
  const inCharacters = ([start, end]: Span): Span =>
    unit === 'tokens' ? [tokens[start]?.start ?? 0, tokens[end - 1]?.end ?? 0] : [start, end];
  const question = classes?.question?.map(inCharacters);
  const sentences = competingSentences(prompt, {
    target: asked,
    candidates: words,
    needle: needle && inCharacters(needle),
    question,
  });
  const spans = sentences.map((sentence) => tokenSpan(tokens, sentence)).filter((span) => span !== null);
  return spans.length > 0 ? spans : undefined;
}

/**
 * The prompt of a line with its answer exchanged for another candidate where the needle names it ({@link defaultPair}).
 * @throws InputError where the line has no corrupted prompt and none can be made of it
 */
export function pairOf({ line, where }: SnrLine): Pair {
  const { target, answer, candidates, needle, unit } = line;
  const prompt = examplePrompt(line);
  const word = target ?? answer;
  const words = candidates?.filter((one) => typeof one === 'string');
  if (prompt !== undefined && typeof word === 'string' && needle && unit !== 'tokens') {
    const pair = defaultPair({ prompt, target: word, candidates: words, needle });
    if (pair.corrupted !== prompt) return pair;
  }
  throw new InputError(
    `${where} has no corrupted prompt, and none can be made of it: give "corrupted", or a prompt whose needle (in characters) names the target, with another answer among its candidates.`,
  );
}

/** @param source where the example stands, if there are several */
export const withoutNeedle = (index: number, source?: string): InputError =>
  new InputError(
    `Example ${index + 1}${source === undefined ? '' : ` of ${source}`} has no needle: name the tokens that hold its answer.`,
  );

/** The lines of a text, checked as far as that goes without a tokenizer. @throws InputError naming the line. */
export function snrLines(text: string, source: string): SnrLine[] {
  const lines = withoutMark(text)
    .split('\n')
    .flatMap((line, k) => (line.trim() === '' ? [] : [{ line, number: k + 1 }]));
  if (lines.length === 0) throw new InputError(`${source} holds no examples: give one JSON object a line.`);
  return lines.map(({ line, number }) => parseLine(line, `Line ${number} of ${source}`));
}

function parseLine(text: string, where: string): SnrLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`${where} is not JSON.`);
  }
  const parsed = lineSchema.safeParse(value);
  if (parsed.success) return { line: parsed.data, where };
  const [{ path, message }] = parsed.error.issues;
  throw new InputError(`${where} is not an example: ${[path.join('.'), message].filter(Boolean).join(': ')}.`);
}
