import type { SnrExample } from '@/lib/analysis';
import type { SnrTask } from '@/lib/api/analyses';
import { demoLines } from '@/lib/data/demo-stories';
import { parseSnrExamples, promptOf, type SnrLine } from '@/lib/data/snr-examples';
import { ServiceError } from '../errors';
import type { Settings } from '../settings';
import type { Catalogue } from './catalogue';

type Batch = Pick<SnrTask, 'examples' | 'seed'>;

/** The examples of a batch as JSON lines, and what they are called in a sentence. */
export const batchLines = ({ examples, seed }: Batch): { lines: string; source: string } =>
  typeof examples === 'string'
    ? { lines: demoLines(examples, seed) as string, source: 'the demo task' }
    : { lines: examples.map((example) => JSON.stringify(example)).join('\n'), source: 'the examples' };

/** Most tokens that an example can have: no tokenizer makes more of a text than it has bytes. */
export const mostTokens = (line: SnrLine['line']): number =>
  line.tokens?.length ?? Buffer.byteLength(promptOf(line) ?? '', 'utf8');

/**
 * The examples of a batch as one model reads them.
 * @param onExample waited for after each one, with how many there are
 * @throws ServiceError 404, 422; InputError.
 */
export async function batchExamples(
  name: string,
  batch: Batch,
  catalogue: Catalogue,
  { maxTokens }: Pick<Settings, 'maxTokens'>,
  onExample?: (done: number) => Promise<void>,
): Promise<SnrExample[]> {
  const { lines, source } = batchLines(batch);
  const { tokenizer } = await catalogue.tokenizer(name);
  const read = await parseSnrExamples(lines, source, async () => tokenizer, onExample);
  const long = read.findIndex(({ tokens }) => tokens.length > maxTokens);
  if (long < 0) return read;
  throw new ServiceError(
    422,
    `Example ${long} is ${read[long].tokens.length} tokens long for ${name}; the limit is ${maxTokens}.`,
    'Shorten it, or raise STATESCOPE_MAX_TOKENS if there is memory for it.',
  );
}
