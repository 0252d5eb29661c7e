import type { Command } from 'commander';
import { InputError } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { type Evaluation, type TrainingMetrics, trainFromConfig } from '@/lib/training';
import { readJson } from '../input';
import type { Io } from '../io';
import { withDevice, withJson, withTokenizerOption } from '../options';
import { printJson } from '../output';
import { type DeviceOptions, openCheckpointOf } from '../session';

interface TrainOptions extends DeviceOptions {
  readonly config: string;
  readonly out: string;
  readonly tokenizer?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

const NOTHING_SAVED = 'the run was ended before its first checkpoint: starting at its beginning, as before\n';

/** Trains a model from a configuration file; Ctrl-C stops after the current step with the state saved. */
export function trainCommand(program: Command, io: Io): void {
  withJson(withDevice(withTokenizerOption(program.command('train').description('train a model'))))
    .requiredOption('--config <file>', 'what to train, as JSON')
    .requiredOption('--out <folder>', 'where the checkpoint goes')
    .option('--resume', 'go on from the state in the folder')
    .action(async (options: TrainOptions) => {
      const config = readBy(await readJson(options.config, 'training configuration'), options.tokenizer);
      const device = await openDevice(options);
      io.err(`training on ${device.name} (${device.description})\n`);
      const stop = new AbortController();
      const onInterrupt = () => stop.abort();
      process.once('SIGINT', onInterrupt);
      try {
        const result = await trainFromConfig(config, options.out, {
          resume: options.resume,
          signal: stop.signal,
          openCheckpoint: (model, tokenizer) => openCheckpointOf({ model, tokenizer }, io),
          onNote: (note) => io.err(`${note}\n`),
          onStart: (done) => {
            if (options.resume) io.err(done > 0 ? `going on after step ${done}\n` : NOTHING_SAVED);
          },
          onProgress: (metrics) => io.err(`${lineOf(metrics)}\n`),
        });
        if (options.json) return printJson(io, result);
        const end = result.finished ? 'trained' : 'stopped';
        io.out(`${end} at step ${result.step}: ${measuresOf(result.evaluation)}, in ${result.folder}\n`);
      } finally {
        process.removeListener('SIGINT', onInterrupt);
      }
    });
}

/** The configuration with another tokenizer for the checkpoint that it begins with. @throws InputError where there is none */
function readBy(config: unknown, tokenizer: string | undefined): unknown {
  if (tokenizer === undefined) return config;
  const { from } = config as { readonly from?: object };
  if (!from)
    throw new InputError(
      '--tokenizer is for the checkpoint that a run begins with ("from"); of a fresh model, its data name the tokenizer ("tokens").',
    );
  return { ...(config as object), from: { ...from, tokenizer } };
}

function lineOf({ step, steps, stage, loss, evaluation, stage_end, time }: TrainingMetrics): string {
  const measured = evaluation ? `, ${measuresOf(evaluation)}` : '';
  const ended = stage_end && `; ${stage} ended by ${stage_end === 'steps' ? 'its steps' : 'its accuracy'}`;
  const left = `${time.tokens_per_second.toFixed(0)} tokens/s, ${durationOf(time.left)} left`;
  return `step ${step} of ${steps}: loss ${loss.toFixed(4)}${measured}, ${left}${ended ?? ''}`;
}

const durationOf = (seconds: number) => (seconds < 100 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`);

/** Validation in a few words: the accuracy where answers are asked, else the loss. */
function measuresOf({ accuracy, text }: Evaluation): string {
  if (accuracy !== null) return `held-out accuracy ${accuracy.toFixed(4)}`;
  return `held-out loss ${text?.toFixed(4)}`;
}
