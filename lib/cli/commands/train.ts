import type { Command } from 'commander';
import { openDevice } from '@/lib/engine';
import { trainFromConfig } from '@/lib/training';
import { readJson } from '../input';
import type { Io } from '../io';
import { withDevice, withJson } from '../options';
import { printJson } from '../output';
import type { DeviceOptions } from '../session';

interface TrainOptions extends DeviceOptions {
  readonly config: string;
  readonly out: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

const NOTHING_SAVED = 'the run was ended before its first checkpoint: starting at its beginning, as before\n';

/** Trains a model from a configuration file; Ctrl-C stops after the current step with the state saved. */
export function trainCommand(program: Command, io: Io): void {
  withJson(withDevice(program.command('train').description('train a model')))
    .requiredOption('--config <file>', 'what to train, as JSON')
    .requiredOption('--out <folder>', 'where the checkpoint goes')
    .option('--resume', 'go on from the state in the folder')
    .action(async (options: TrainOptions) => {
      const config = await readJson(options.config, 'training configuration');
      const device = await openDevice(options);
      io.err(`training on ${device.name} (${device.description})\n`);
      const stop = new AbortController();
      const onInterrupt = () => stop.abort();
      process.once('SIGINT', onInterrupt);
      try {
        const result = await trainFromConfig(config, options.out, {
          resume: options.resume,
          signal: stop.signal,
          onStart: (done) => {
            if (options.resume) io.err(done > 0 ? `going on after step ${done}\n` : NOTHING_SAVED);
          },
          onProgress: ({ step, steps, loss, accuracy }) =>
            io.err(
              `step ${step} of ${steps}: loss ${loss.toFixed(4)}${accuracy === undefined ? '' : `, held-out accuracy ${accuracy.toFixed(4)}`}\n`,
            ),
        });
        if (options.json) return printJson(io, result);
        const end = result.finished ? 'trained' : 'stopped';
        io.out(`${end} at step ${result.step}: held-out accuracy ${result.accuracy.toFixed(4)}, in ${result.folder}\n`);
      } finally {
        process.removeListener('SIGINT', onInterrupt);
      }
    });
}
