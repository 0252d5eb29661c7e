import type { Command } from 'commander';
import { mqarEvaluation } from '@/lib/evaluation';
import type { Io } from '../../io';
import { indices, wholeNumber } from '../../parse';
import { type EvaluationOptions, evaluate, percent, readData, withEvaluation } from './common';

interface MqarOptions extends EvaluationOptions {
  readonly data?: string;
  readonly split: string;
  readonly rows?: number;
  readonly lengths?: number[];
  readonly pairs?: number[];
  readonly batch?: number;
}

/** Recall of pairs over gaps. */
export function mqarCommand(parent: Command, io: Io): void {
  withEvaluation(
    parent.command('mqar').description('multi-query associative recall: right values by length, pairs and gap'),
  )
    .option('--data <file|json>', 'fields of the source as it was trained on: {"keys": 64, "values": 64, …}')
    .option('--lengths <list>', 'tokens of a row, each a condition', indices('--lengths'))
    .option('--pairs <list>', 'pairs of a row, each a condition', indices('--pairs'))
    .option('--split <name>', 'train, validation or test', 'test')
    .option('--rows <n>', 'rows of each condition (default: 256)', wholeNumber('--rows', 1))
    .option('--batch <n>', 'rows that are read at once (default: 16)', wholeNumber('--batch', 1))
    .action(async (options: MqarOptions) => {
      const { data, split, rows, lengths, pairs, batch } = options;
      const evaluation = await mqarEvaluation({
        ...{ split, rows, lengths, pairs, batch },
        data: data === undefined ? undefined : await readData(data),
      });
      await evaluate(evaluation, options, io, ({ models }) =>
        models.flatMap(({ label, conditions }) =>
          conditions.flatMap(({ data: { length, pairs: count }, by_label }) =>
            by_label.map(({ label: gap, answers, accuracy }) => ({
              ...{ model: label, length, pairs: count, gap, answers },
              'right %': percent(accuracy),
            })),
          ),
        ),
      );
    });
}
