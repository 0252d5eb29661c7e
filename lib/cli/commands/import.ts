import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { InputError } from '@/lib/checkpoint';
import { projectRoot } from '@/lib/project-root';
import type { Io } from '../io';

interface ImportOptions {
  readonly data?: string;
}

/** Takes a run that was computed elsewhere into the folder that the server keeps runs in. */
export function importCommand(program: Command, io: Io): void {
  program
    .command('import')
    .description('take a run that was computed elsewhere, as by export_torch in Python, among the runs of the server')
    .argument('<folder>', 'the folder of the run')
    .option('--data <folder>', 'default: STATESCOPE_DATA, or data/')
    .action(async (folder: string, { data = process.env.STATESCOPE_DATA || 'data' }: ImportOptions) => {
      if (data === 'none')
        throw new InputError('STATESCOPE_DATA is "none", which keeps no runs: name a folder with --data.');
      const { importRun } = await import(pathToFileURL(join(projectRoot(), 'dist', 'import-run.mjs')).href);
      // An error of that program is none of this one's.
      const id = await importRun(resolve(folder), resolve(projectRoot(), data)).catch((error: Error) => {
        throw error.name === 'InputError' ? new InputError(error.message) : error;
      });
      io.out(`${id}\n`);
      io.err(`Imported: open the page with /?run=${id}\n`);
    });
}
