import type { Command } from 'commander';
import { InputError } from '@/lib/input-error';
import { itemsOn, placeOfEnvironment } from '@/lib/jobs';
import { projectRoot } from '@/lib/project-root';
import type { Io } from '../io';
import { tell, withBench, withEngine } from '../jobs';
import { withDevice } from '../options';
import type { DeviceOptions } from '../session';

interface WorkerOptions extends DeviceOptions {
  readonly untilEmpty?: boolean;
}

/** Takes items of sweeps and experiments until it is ended; a line an item. */
export function workerCommand(program: Command, io: Io): void {
  withDevice(program.command('worker').description('take jobs from DATABASE_URL until ended'))
    .option('--until-empty', 'end when no item waits and none is in work')
    .action((options: WorkerOptions) => {
      if (!placeOfEnvironment(projectRoot()).databaseUrl)
        throw new InputError(
          'A worker shares a database with others: set DATABASE_URL to a PostgreSQL server. Without one, the process that starts a sweep or an experiment does its work.',
        );
      return withEngine(async (engine) => {
        await withBench(options, io, async (bench, signal) => {
          io.err('waiting for jobs\n');
          const isEnough = async () => options.untilEmpty === true && (await engine.pending()) === 0;
          await engine.work({ on: itemsOn(bench), signal, isEnough, onItem: tell(io) });
        });
      });
    });
}
