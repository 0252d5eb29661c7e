import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { InputError } from '@/lib/checkpoint';
import { parsePredictions, resamplingOf, scorePredictions } from '@/lib/evaluation';
import { RESAMPLES } from '@/lib/vocabulary';
import type { Io } from '../../io';
import { withJson } from '../../options';
import { printJson, table } from '../../output';
import { wholeNumber } from '../../parse';
import { percent } from './common';

interface ScoreOptions {
  readonly predictions: string;
  readonly resamples: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** Scores predictions that are there already, by both rules. */
export function scoreCommand(parent: Command, io: Io): void {
  withJson(parent.command('score').description('strict and first-answer score of stored predictions'))
    .requiredOption('--predictions <file>', 'JSON lines with task, target, output and question')
    .option('--resamples <n>', 'of the bootstrap', wholeNumber('--resamples', 1), RESAMPLES)
    .option('--seed <n>', 'of the bootstrap', wholeNumber('--seed', 0), 42)
    .action(async ({ predictions, resamples, seed, json }: ScoreOptions) => {
      const text = await readFile(predictions, 'utf8').catch((cause: NodeJS.ErrnoException) => {
        throw new InputError(`The predictions ${predictions} cannot be read (${cause.code ?? cause.message}).`);
      });
      const scored = scorePredictions(parsePredictions(text, predictions), () => resamplingOf(seed, resamples));
      if (json) return printJson(io, scored);
      io.out(
        table(
          scored.cells.map(({ model, task, length, n, strict, first }) => ({
            model,
            task,
            length,
            n,
            'strict %': percent(strict),
            'first answer %': percent(first),
          })),
        ),
      );
      const { n, strict, first } = scored;
      io.out(`all ${n} predictions: strict ${strict.toFixed(2)} %, first answer ${first.toFixed(2)} %\n`);
    });
}
