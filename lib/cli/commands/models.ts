import type { Command } from 'commander';
import { defaultRoots, listModels } from '@/lib/checkpoint';
import { projectRoot } from '@/lib/project-root';
import type { Io } from '../io';
import { withJson } from '../options';
import { printJson, printRows } from '../output';

/** Lists the checkpoints of `models/`, of STATESCOPE_MODELS and of the Hugging Face cache. */
export function modelsCommand(program: Command, io: Io): void {
  withJson(program.command('models').description('list the models that can be named')).action(
    async ({ json = false }: { json?: boolean }) => {
      const found = await listModels({
        roots: defaultRoots(projectRoot()),
        onSkipped: ({ path }, reason) => io.err(`${path} is left out: ${reason.message}\n`),
      });
      if (json) return printJson(io, found);
      if (found.length === 0)
        io.err('No models were found: put a checkpoint folder into models/ or set STATESCOPE_MODELS.\n');
      printRows(
        io,
        found.map(({ layers, ...model }) => ({ ...model, layers: kindsOf(layers) })),
        false,
      );
    },
  );
}

/** Runs of equal kinds, such as "12 × mamba2". */
function kindsOf(layers: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const kind of layers) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => `${count} × ${kind}`).join(' + ');
}
