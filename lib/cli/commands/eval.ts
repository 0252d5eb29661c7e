import type { Command } from 'commander';
import type { Io } from '../io';
import { babilongCommand } from './eval/babilong';
import { costCommand } from './eval/cost';
import { emergenceCommand } from './eval/emergence';
import { lmCommand } from './eval/lm';
import { madCommand } from './eval/mad';
import { mqarCommand } from './eval/mqar';
import { scoreCommand } from './eval/score';

const EVALUATIONS = [
  babilongCommand,
  lmCommand,
  mqarCommand,
  madCommand,
  emergenceCommand,
  costCommand,
  scoreCommand,
] as const;

/** The evaluations of the paper, each a command of its own. */
export function evalCommand(program: Command, io: Io): void {
  const parent = program.command('eval').description('what models can do: retrieval, language modelling, cost');
  for (const add of EVALUATIONS) add(parent, io);
  for (const command of parent.commands)
    command.option('--debug', 'show where an error comes from').allowExcessArguments(false);
}
