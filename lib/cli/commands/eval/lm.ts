import type { Command } from 'commander';
import { lmEvaluation } from '@/lib/evaluation';
import type { Io } from '../../io';
import { wholeNumber } from '../../parse';
import { type EvaluationOptions, evaluate, readData, shown, withData, withEvaluation } from './common';

interface LmOptions extends EvaluationOptions {
  readonly text?: string[];
  readonly data?: string;
  readonly split: string;
  readonly rows?: number;
  readonly context?: number;
  readonly stride?: number;
  readonly batch?: number;
  readonly windows?: number;
}

/** How well models predict text. */
export function lmCommand(parent: Command, io: Io): void {
  const command = parent
    .command('lm')
    .description('language modelling: perplexity, bits a byte and character, loss by position');
  withData(withEvaluation(command))
    .option('--text <file...>', 'text files, read with the tokenizer of the model')
    .option('--context <n>', 'tokens of a window (default: 1024)', wholeNumber('--context', 1))
    .option('--stride <n>', 'tokens from one window to the next (default: the window)', wholeNumber('--stride', 1))
    .option('--batch <n>', 'windows that are read at once (default: 8)', wholeNumber('--batch', 1))
    .option('--windows <n>', 'windows at most', wholeNumber('--windows', 1))
    .action(async (options: LmOptions) => {
      const { text, data, split, rows, context, stride, batch, windows } = options;
      const evaluation = await lmEvaluation({
        ...{ text, split, rows, context, stride, batch, windows },
        data: data === undefined ? undefined : await readData(data),
      });
      await evaluate(evaluation, options, io, ({ models }) =>
        models.map(({ label, tokens, perplexity, loss, bits_per_byte, bits_per_character }) => ({
          model: label,
          tokens,
          'nats a token': shown(loss),
          perplexity: shown(perplexity),
          'bits a byte': shown(bits_per_byte),
          'bits a character': shown(bits_per_character),
        })),
      );
    });
}
