import type { Command } from 'commander';
import { BENCHMARKS, type Measurement } from '@/lib/bench/index';
import { InputError } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import type { Io } from '../io';
import { withDevice, withJson } from '../options';
import { printRows } from '../output';
import { words } from '../parse';
import type { DeviceOptions } from '../session';

interface BenchOptions extends DeviceOptions {
  readonly only?: string[];
  readonly json?: boolean;
}

/** Times the kernels and whole models against floors measured in the same process. */
export function benchCommand(program: Command, io: Io): void {
  const names = BENCHMARKS.map(({ name }) => name).join(', ');
  withJson(withDevice(program.command('bench').description('how fast this machine is, against stated floors')))
    .option('--only <list>', `those whose name contains one of these words: ${names}`, words('--only'))
    .action(async (options: BenchOptions) => {
      const { only } = options;
      const chosen = BENCHMARKS.filter(({ name }) => !only || only.some((word) => name.includes(word)));
      if (chosen.length === 0) throw new InputError(`No benchmark has such a name: there are ${names}.`);
      const device = await openDevice(options);
      io.err(`${device.name} (${device.description})\n`);
      const lines: Measurement[] = [];
      for (const { name, run } of chosen) {
        io.err(`${name} …\n`);
        lines.push(...(await run(device.name)));
      }
      printRows(io, lines, options.json ?? false);
    });
}
