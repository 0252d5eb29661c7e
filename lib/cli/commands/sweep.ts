import type { Command } from 'commander';
import { InputError } from '@/lib/input-error';
import { placeOfEnvironment, requestOfFile, type SweepStatus, stateOf } from '@/lib/jobs';
import { projectRoot } from '@/lib/project-root';
import { readJson } from '../input';
import type { Io } from '../io';
import { finishSweep, withBench, withEngine } from '../jobs';
import { withDevice, withJson } from '../options';
import { printJson, printRows } from '../output';
import type { DeviceOptions } from '../session';

interface RunOptions extends DeviceOptions {
  readonly detach?: boolean;
  readonly retry?: boolean;
}

/** Batches over models, lengths and seeds as items that any number of processes share. */
export function sweepCommand(program: Command, io: Io): void {
  const sweep = program
    .command('sweep')
    .description('batches over models, prompts and seeds, shared by any number of workers');
  withDevice(sweep.command('run <file>').description('run a sweep, or go on with it; prints its summary as JSON'))
    .option('--detach', 'leave the work to workers (DATABASE_URL)')
    .option('--retry', 'try items again that failed')
    .action(async (file: string, options: RunOptions) => {
      if (options.detach && !placeOfEnvironment(projectRoot()).databaseUrl)
        throw new InputError('--detach leaves the work to workers, which need DATABASE_URL: a PostgreSQL server.');
      const { kind, request } = await requestOfFile(await readJson(file, 'sweep'), projectRoot());
      await withEngine(async (engine) => {
        const made = await engine.submit(kind, request);
        if (options.retry) await engine.retry(made.id);
        io.err(`sweep ${made.id}: ${made.items} items\n`);
        if (options.detach) return printJson(io, { sweep: made.id, items: made.items });
        await withBench(options, io, (bench, signal) => finishSweep(engine, made.id, bench, signal, io));
        const summary = (await engine.summary(made)) as object;
        printJson(io, { sweep: made.id, kind, items: made.items, ...summary });
      });
    });
  withJson(sweep.command('status [id]').description('how far sweeps are')).action(
    async (id: string | undefined, options: { readonly json?: boolean }) => {
      const found = await withEngine((engine) => (id ? engine.status(id).then((one) => [one]) : engine.list()));
      if (options.json) return printJson(io, found);
      if (found.length === 0) return io.out('No sweep has been made with this database.\n');
      printRows(io, found.map(rowOf), false);
      for (const { failed } of found) for (const { label, error } of failed) io.out(`${label}: ${error}\n`);
    },
  );
  sweep
    .command('result <id>')
    .description('what a finished sweep came to, as JSON, and who worked on it')
    .action(async (id: string) =>
      withEngine(async (engine) => {
        const found = await engine.sweep(id);
        const summary = (await engine.summary(found)) as object;
        printJson(io, {
          sweep: id,
          kind: found.kind,
          items: found.items,
          workers: await engine.workers(id),
          ...summary,
        });
      }),
    );
  sweep
    .command('cancel <id>')
    .description('take away the items of a sweep that have no result; "run" goes on from there')
    .action(async (id: string) =>
      withEngine(async (engine) => {
        await engine.cancel(id);
        const { done, items } = await engine.status(id);
        io.out(`sweep ${id}: ${done} of ${items} items have a result\n`);
      }),
    );
  for (const command of sweep.commands)
    command.option('--debug', 'show where an error comes from').allowExcessArguments(false);
}

const rowOf = (status: SweepStatus) => ({
  sweep: status.id,
  kind: status.kind,
  items: status.items,
  done: status.done,
  'in work': status.active,
  failed: status.failed.length,
  state: stateOf(status),
  made: new Date(status.createdAt).toISOString().slice(0, 19),
});
