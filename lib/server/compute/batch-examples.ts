import type { SnrExample } from '@/lib/analysis';
import type { SnrTask } from '@/lib/api/analyses';
import { demoLines } from '@/lib/data/demo-stories';
import { parseSnrExamples } from '@/lib/data/snr-examples';
import { ServiceError } from '../errors';
import type { Settings } from '../settings';
import type { Catalogue } from './catalogue';

/** The examples of a batch as one model reads them. @throws ServiceError 404, 422; InputError. */
export async function batchExamples(
  name: string,
  { examples, seed }: Pick<SnrTask, 'examples' | 'seed'>,
  catalogue: Catalogue,
  { maxTokens }: Pick<Settings, 'maxTokens'>,
): Promise<SnrExample[]> {
  const lines =
    typeof examples === 'string'
      ? (demoLines(examples, seed) as string)
      : examples.map((example) => JSON.stringify(example)).join('\n');
  const source = typeof examples === 'string' ? 'the demo task' : 'the examples';
  const { tokenizer } = await catalogue.tokenizer(name);
  const read = await parseSnrExamples(lines, source, async () => tokenizer);
  const long = read.findIndex(({ tokens }) => tokens.length > maxTokens);
  if (long < 0) return read;
  throw new ServiceError(
    422,
    `Example ${long} is ${read[long].tokens.length} tokens long for ${name}; the limit is ${maxTokens}.`,
    'Shorten it, or raise STATESCOPE_MAX_TOKENS if there is memory for it.',
  );
}
