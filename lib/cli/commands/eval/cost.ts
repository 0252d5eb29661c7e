import type { Command } from 'commander';
import { costEvaluation } from '@/lib/evaluation';
import type { Io } from '../../io';
import { indices, wholeNumber } from '../../parse';
import { type EvaluationOptions, evaluate, withEvaluation } from './common';

interface CostOptions extends EvaluationOptions {
  readonly lengths?: number[];
  readonly batches?: number[];
  readonly newTokens?: number;
  readonly runs?: number;
}

/** What models cost. */
export function costCommand(parent: Command, io: Io): void {
  withEvaluation(
    parent
      .command('cost')
      .description('parameters, operations, memory, time and throughput by batch and length; a model against its twin'),
  )
    .option('--lengths <list>', 'tokens of a row (default: 512,1024,2048)', indices('--lengths'))
    .option('--batches <list>', 'rows of a batch (default: 1,4,16)', indices('--batches'))
    .option('--new-tokens <n>', 'tokens written after each prompt (default: 16)', wholeNumber('--new-tokens', 1))
    .option('--runs <n>', 'runs of which the median is taken (default: 3)', wholeNumber('--runs', 1))
    .action(async (options: CostOptions) => {
      const { lengths, batches, newTokens: new_tokens, runs } = options;
      await evaluate(costEvaluation({ lengths, batches, new_tokens, runs }), options, io, ({ models }) =>
        models.flatMap(({ label, shapes }) =>
          shapes.map((shape) => ({
            ...{ model: label, batch: shape.batch, length: shape.length, parameters: shape.parameters },
            GFLOP: shape.flops / 1e9,
            'state kB': shape.state_bytes / 1024,
            'peak MB': shape.peak_bytes / 2 ** 20,
            'forward s': shape.forward_seconds,
            'tokens/s': shape.tokens_per_second,
            'new tokens/s': shape.new_tokens_per_second,
          })),
        ),
      );
    });
}
