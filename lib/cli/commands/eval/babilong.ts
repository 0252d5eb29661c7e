import { type Command, Option } from 'commander';
import { InputError } from '@/lib/checkpoint';
import { babilongEvaluation } from '@/lib/evaluation';
import type { Io } from '../../io';
import { wholeNumber, words } from '../../parse';
import { type EvaluationOptions, evaluate, percent, readData, withEvaluation } from './common';

interface BabilongOptions extends EvaluationOptions {
  readonly folder?: string;
  readonly babi?: string;
  readonly background?: string;
  readonly stories?: string;
  readonly documents?: string;
  readonly maxFacts?: number;
  readonly split: string;
  readonly tasks?: string[];
  readonly lengths: string[];
  readonly depths?: number;
  readonly samples?: number;
  readonly maxNewTokens?: number;
  readonly prompt: string;
  readonly batch?: number;
  readonly dataSeed?: number;
}

/** Facts hidden in long texts. */
export function babilongCommand(parent: Command, io: Io): void {
  const command = parent
    .command('babilong')
    .description('questions about facts in long texts, by task, length and depth; both scores');
  withEvaluation(command)
    .option('--folder <folder>', 'published samples: RMT-team/babilong-1k-samples')
    .option('--babi <folder>', 'or facts of the bAbI tasks (en, en-10k), composed with --background')
    .option('--background <file|folder>', 'text to hide the facts in; without it the facts stand alone')
    .option('--stories <file|json>', 'or stories in background text: the source `stories` of training')
    .addOption(
      new Option('--documents <what>', 'what of the background is one document').choices(['file', 'paragraph', 'line']),
    )
    .option('--max-facts <n>', 'composed samples: leave longer stories out', wholeNumber('--max-facts', 1))
    .option('--split <name>', 'of composed samples and stories: train, validation or test', 'test')
    .option(
      '--tasks <list>',
      'qa1 to qa20 (default: qa1,qa2,qa3,qa4,qa5); of stories one-hop, two-hop',
      words('--tasks'),
    )
    .requiredOption(
      '--lengths <list>',
      '0k,1k,… of published samples, tokens of composed ones and stories, 0k of facts alone',
      words('--lengths'),
    )
    .option(
      '--depths <n>',
      'composed samples and stories: the facts in each of n parts of the text',
      wholeNumber('--depths', 1),
    )
    .option('--samples <n>', 'of each task, length and depth (default: 100)', wholeNumber('--samples', 1))
    .option('--max-new-tokens <n>', 'tokens of an answer (default: 20)', wholeNumber('--max-new-tokens', 1))
    .addOption(
      new Option('--prompt <kind>', 'evaluation ends with the question, training with "Answer:"')
        .choices(['evaluation', 'training'])
        .default('evaluation'),
    )
    .option('--batch <n>', 'prompts that are continued at once (default: 8)', wholeNumber('--batch', 1))
    .option('--data-seed <n>', 'of composed samples and stories (default: 0)', wholeNumber('--data-seed', 0))
    .action(async (options: BabilongOptions) => {
      const { folder, babi, background, documents, split, tasks, samples, prompt, batch } = options;
      if (folder !== undefined && options.depths !== undefined)
        throw new InputError(
          '--depths is for composed samples and stories: published ones have their facts where they are.',
        );
      const evaluation = await babilongEvaluation({
        ...{ folder, babi, background, documents, split, tasks, samples, prompt, batch },
        stories: options.stories && (await readData(options.stories, '--stories')),
        lengths: options.lengths.map((length) => (/^\d+$/.test(length) ? Number(length) : length)),
        depths: options.depths && partsOf(options.depths),
        max_facts: options.maxFacts,
        max_new_tokens: options.maxNewTokens,
        data_seed: options.dataSeed,
      });
      await evaluate(evaluation, options, io, ({ models }) =>
        models.flatMap(({ label, cells }) =>
          cells.map(({ task, length, n, strict, first }) => ({
            ...{ model: label, task, length, n },
            'strict %': percent(strict),
            'first answer %': percent(first),
          })),
        ),
      );
    });
}

/** Equal parts of the whole. */
const partsOf = (count: number): [number, number][] =>
  Array.from({ length: count }, (_, k) => [k / count, (k + 1) / count]);
