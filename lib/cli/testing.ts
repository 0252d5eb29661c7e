import type { Io } from './io';
import { runCli } from './program';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line and keeps what it writes. */
export async function outcomeOf(...args: string[]): Promise<Outcome> {
  const written = { out: '', err: '' };
  const io: Io = {
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    interactive: false,
  };
  const code = await runCli(args, io);
  return { code, ...written };
}
