import type { Command } from 'commander';
import { MAD_TASKS, type MadTask } from '@/lib/data/mad';
import { madEvaluation } from '@/lib/evaluation';
import type { Io } from '../../io';
import { choices, wholeNumber } from '../../parse';
import { type EvaluationOptions, evaluate, percent, readData, withEvaluation } from './common';

interface MadOptions extends EvaluationOptions {
  readonly tasks?: MadTask[];
  readonly data?: string;
  readonly split: string;
  readonly rows?: number;
  readonly batch?: number;
}

/** The synthetic tasks of MAD. */
export function madCommand(parent: Command, io: Io): void {
  withEvaluation(
    parent.command('mad').description('the synthetic tasks of MAD: macro accuracy, as they are scored there'),
  )
    .option('--tasks <list>', MAD_TASKS.join(', '), choices('--tasks', MAD_TASKS))
    .option('--data <file|json>', 'fields of the source beside the task, as it was trained on: {"vocabulary": 32, …}')
    .option('--split <name>', 'train, validation or test', 'test')
    .option('--rows <n>', 'rows of each task (default: 1280)', wholeNumber('--rows', 1))
    .option('--batch <n>', 'rows that are read at once (default: 128)', wholeNumber('--batch', 1))
    .action(async (options: MadOptions) => {
      const { tasks, data, split, rows, batch } = options;
      const evaluation = await madEvaluation({
        ...{ tasks, split, rows, batch },
        data: data === undefined ? undefined : await readData(data),
      });
      await evaluate(evaluation, options, io, ({ models }) =>
        models.flatMap(({ label, conditions }) =>
          conditions.map(({ data: { task }, answers, accuracy, macro_accuracy: macro }) => ({
            ...{ model: label, task, answers },
            'macro accuracy %': percent(macro),
            'right answers %': percent(accuracy),
          })),
        ),
      );
    });
}
