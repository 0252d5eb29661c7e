import type { SnrExample } from '@/lib/analysis';
import type { SnrTask } from '@/lib/api/analyses';
import { demoLines } from '@/lib/data/demo-stories';
import { parseSnrExamples, type SnrLine, snrLines, type TextReader, withoutNeedle } from '@/lib/data/snr-examples';
import { examplePrompt } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { Settings } from '../../settings';

type Batch = Pick<SnrTask, 'examples' | 'seed'>;

/** The examples of a batch as JSON lines, and what they are called in a sentence. */
const batchLines = ({ examples, seed }: Batch): { lines: string; source: string } =>
  typeof examples === 'string'
    ? { lines: demoLines(examples, seed) as string, source: 'the demo task' }
    : { lines: examples.map((example) => JSON.stringify(example)).join('\n'), source: 'the examples' };

/** Most tokens that an example can have: no tokenizer makes more of a text than it has bytes. */
const mostTokens = (line: SnrLine['line']): number =>
  line.tokens?.length ?? Buffer.byteLength(examplePrompt(line) ?? '', 'utf8');

/**
 * The examples of a batch before a tokenizer reads them, and the most tokens that any of them can have.
 * @throws InputError for a line that is no example.
 */
export function batchForm(
  batch: Batch,
  { maxTokens }: Pick<Settings, 'maxTokens'>,
): { readonly examples: readonly SnrLine[]; readonly longest: number } {
  const { lines, source } = batchLines(batch);
  const examples = snrLines(lines, source);
  return { examples, longest: Math.min(maxTokens, Math.max(...examples.map(({ line }) => mostTokens(line)))) };
}

/** @throws InputError for the first example without a needle */
export function requireNeedles(examples: readonly SnrLine[]): void {
  const bare = examples.findIndex(({ line }) => !line.needle);
  if (bare >= 0) throw withoutNeedle(bare);
}

/** Reads words as one model's tokenizer does, in a thread of its own. */
export type Words = (model: string) => TextReader;

/**
 * The examples of a batch as one model reads them.
 * @param onExample waited for after each one, with how many there are
 * @throws ServiceError 404, 422; InputError.
 */
export function batchExamples(
  name: string,
  batch: Batch,
  words: Words,
  { maxTokens }: Pick<Settings, 'maxTokens'>,
  onExample?: (done: number) => Promise<void>,
): Promise<SnrExample[]> {
  const { lines, source } = batchLines(batch);
  return parseSnrExamples(lines, source, async () => words(name), {
    onExample,
    maxTokens,
    tooLong: (where) =>
      new ServiceError(
        422,
        `${where} is too long for ${name}; the limit is ${maxTokens} tokens.`,
        'Shorten it, or raise STATESCOPE_MAX_TOKENS if there is memory for it.',
      ),
  });
}
