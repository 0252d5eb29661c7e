import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import { projectRoot } from '@/lib/project-root';
import type { Io } from '../io';

interface ServeOptions {
  readonly port?: string;
  readonly untilInputEnds?: boolean;
}

function portOf(text: string): string {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return text;
  throw new InvalidArgumentError(`a port is a whole number from 1 to 65535, not "${text}".`);
}

/** The program that started this one may be gone by then, and whoever read what is said here with it. */
function endWithInput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume();
}

/** Serves page and API, as `npm start` does in a clone; settings are those of docs/deploy.md. */
export function serveCommand(program: Command, _io: Io): void {
  program
    .command('serve')
    .description('serve the workbench and its API until a signal ends it')
    .option('--port <number>', 'default: PORT, or 3000', portOf)
    .option(
      '--until-input-ends',
      'end with what writes to the standard input, as a program that starts a server for itself',
    )
    .action(async ({ port, untilInputEnds }: ServeOptions) => {
      if (port !== undefined) process.env.PORT = port;
      if (untilInputEnds) endWithInput();
      const script = (name: string) => import(pathToFileURL(join(projectRoot(), 'scripts', 'lib', name)).href);
      const [{ serveHere }, { database, page, prepare }] = [await script('serve-here.mjs'), await script('setup.mjs')];
      await serveHere({ dev: false, setUp: (first: () => Promise<void>) => prepare(first, page, database) });
    });
}
