import { type Command, Option } from 'commander';
import { openDevice } from '@/lib/engine';
import {
  dryRun,
  experimentFolder,
  experimentStatus,
  findingsOf,
  type PartStatus,
  readExperiment,
  runExperiment,
  SCALES,
  type Scale,
  writeReport,
} from '@/lib/experiments';
import { projectRoot } from '@/lib/project-root';
import type { Io } from '../io';
import { finishSweep, withBench, withEngine } from '../jobs';
import { withDevice, withJson } from '../options';
import { printJson, table } from '../output';
import type { DeviceOptions } from '../session';

interface ScaleOptions {
  readonly scale: Scale;
  readonly json?: boolean;
}

interface RunOptions extends DeviceOptions, ScaleOptions {
  readonly dryRun?: boolean;
  readonly retry?: boolean;
}

const withScale = (command: Command): Command =>
  withJson(command).addOption(
    new Option('--scale <scale>', 'which of its scales').choices([...SCALES]).default('here' satisfies Scale),
  );

/** Arms, seeds and evaluations of one file as jobs, and the report of what was measured. */
export function experimentCommand(program: Command, io: Io): void {
  const experiment = program
    .command('experiment')
    .description('train, evaluate and report what an experiment.json says');
  const read = (name: string, { scale }: ScaleOptions) => readExperiment(experimentFolder(name, projectRoot()), scale);
  withScale(
    withDevice(
      experiment.command('run <name|folder>').description('run an experiment, or go on with it, and write its report'),
    ),
  )
    .option('--dry-run', 'only build the shapes, count parameters against what is stated, and estimate the time')
    .option('--retry', 'try items again that failed')
    .action(async (name: string, options: RunOptions) => {
      const found = await read(name, options);
      if (options.dryRun) {
        const device = await openDevice(options);
        const estimate = { device: device.name, ...(await dryRun(found, projectRoot())) };
        if (options.json) return printJson(io, estimate);
        io.out(table(estimate.arms.map(({ lacks: _, ...arm }) => arm)));
        for (const { arm, lacks = [] } of estimate.arms) for (const one of lacks) io.out(`${arm} lacks: ${one}\n`);
        io.out(
          `hours: at ${(estimate.flops_per_second / 1e9).toFixed(1)} Gflop/s, as ${device.name} multiplies matrices here; training takes longer\n`,
        );
        return;
      }
      const folder = await withEngine((engine) =>
        withBench(options, io, async (bench, signal) => {
          const findings = await runExperiment(engine, found, projectRoot(), async (sweep, { name: part }) => {
            io.err(`${part}: sweep ${sweep.id}, ${sweep.items} items\n`);
            if (options.retry) await engine.retry(sweep.id);
            await finishSweep(engine, sweep.id, bench, signal, io);
          });
          return writeReport(findings, projectRoot());
        }),
      );
      tellReport(folder, options, io);
    });
  withScale(experiment.command('status <name|folder>').description('how far an experiment is')).action(
    async (name: string, options: ScaleOptions) => {
      const found = await read(name, options);
      const parts = await withEngine((engine) => experimentStatus(engine, found, projectRoot()));
      if (options.json) return printJson(io, parts);
      io.out(table(parts.map(rowOf)));
      for (const { status } of parts)
        for (const { label, error } of status?.failed ?? []) io.out(`${label}: ${error}\n`);
    },
  );
  withScale(
    experiment.command('report <name|folder>').description('write the report of an experiment that is done'),
  ).action(async (name: string, options: ScaleOptions) => {
    const found = await read(name, options);
    const findings = await withEngine((engine) => findingsOf(engine, found, projectRoot()));
    tellReport(await writeReport(findings, projectRoot()), options, io);
  });
  for (const command of experiment.commands)
    command.option('--debug', 'show where an error comes from').allowExcessArguments(false);
}

const rowOf = ({ name, kind, status }: PartStatus) => ({
  part: name,
  kind,
  items: status?.items,
  done: status?.done ?? 0,
  'in work': status?.active ?? 0,
  failed: status?.failed.length ?? 0,
});

function tellReport(folder: string, { json }: ScaleOptions, io: Io): void {
  if (json) printJson(io, { report: `${folder}/report.md`, json: `${folder}/report.json` });
  else io.out(`${folder}/report.md\n`);
}
