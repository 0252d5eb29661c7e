import { Command, CommanderError } from 'commander';
import { InputError } from '@/lib/checkpoint';
import { DeviceError } from '@/lib/engine';
import { version } from '@/package.json';
import { ablateCommand } from './commands/ablate';
import { allocationCommand } from './commands/allocation';
import { attentionCommand } from './commands/attention';
import { attributeCommand } from './commands/attribute';
import { benchCommand } from './commands/bench';
import { channelsCommand } from './commands/channels';
import { convertCommand } from './commands/convert';
import { dataCommand } from './commands/data';
import { evalCommand } from './commands/eval';
import { experimentCommand } from './commands/experiment';
import { faithfulnessCommand } from './commands/faithfulness';
import { generateCommand } from './commands/generate';
import { gradCommand } from './commands/grad';
import { importCommand } from './commands/import';
import { interveneCommand } from './commands/intervene';
import { knockoutCommand } from './commands/knockout';
import { lensCommand } from './commands/lens';
import { modelsCommand } from './commands/models';
import { patchCommand } from './commands/patch';
import { rolloutCommand } from './commands/rollout';
import { runCommand } from './commands/run';
import { serveCommand } from './commands/serve';
import { snrCommand } from './commands/snr';
import { sweepCommand } from './commands/sweep';
import { tokenizerCommand } from './commands/tokenizer';
import { trainCommand } from './commands/train';
import { tunedLensCommand } from './commands/tuned-lens';
import { workerCommand } from './commands/worker';
import { type Io, processIo } from './io';

const COMMANDS = [
  serveCommand,
  importCommand,
  modelsCommand,
  runCommand,
  generateCommand,
  gradCommand,
  attentionCommand,
  rolloutCommand,
  channelsCommand,
  lensCommand,
  attributeCommand,
  snrCommand,
  patchCommand,
  knockoutCommand,
  ablateCommand,
  interveneCommand,
  allocationCommand,
  faithfulnessCommand,
  tokenizerCommand,
  dataCommand,
  trainCommand,
  tunedLensCommand,
  convertCommand,
  evalCommand,
  sweepCommand,
  experimentCommand,
  workerCommand,
  benchCommand,
] as const;

const SUCCESS = 0;
const INTERNAL_FAILURE = 1;
const BAD_USAGE = 2;

/**
 * Runs one command line.
 * @param args without the program's name
 * @returns the exit code: 0, 1 for an internal failure, 2 for bad usage or bad input
 */
export async function runCli(args: readonly string[], io: Io = processIo): Promise<number> {
  const line = ['statescope', ...args].join(' ');
  try {
    await createProgram(io, line).parseAsync([...args], { from: 'user' });
    return SUCCESS;
  } catch (error) {
    return report(error as Error, io, args.includes('--debug'));
  }
}

function createProgram(io: Io, line: string): Command {
  const program = new Command('statescope')
    .description('Looks inside Mamba and Diff-Mamba language models.')
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: () => {} });
  for (const add of COMMANDS) add(program, io, line);
  for (const command of program.commands)
    command.option('--debug', 'show where an error comes from').allowExcessArguments(false);
  return program;
}

function report(error: Error, io: Io, debug: boolean): number {
  if (error instanceof CommanderError) return reportUsage(error, io);
  io.err(`statescope: ${error.message}\n`);
  if (debug && error.stack) io.err(`${error.stack}\n`);
  const isBadUsage = error instanceof InputError || error instanceof DeviceError || error.name === 'DeviceLimitError';
  return isBadUsage ? BAD_USAGE : INTERNAL_FAILURE;
}

/** Commander has printed help and version itself; of its errors only the sentence is kept. */
function reportUsage({ code, exitCode, message }: CommanderError, io: Io): number {
  if (exitCode === 0) return SUCCESS;
  if (code !== 'commander.help') {
    const sentence = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    io.err(`statescope: ${sentence}; "statescope --help" lists commands and options.\n`);
  }
  return BAD_USAGE;
}
