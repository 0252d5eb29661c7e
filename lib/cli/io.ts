import { drain, type Steps, through } from '@/lib/analysis';

/** Where the command line writes: results to `out`, everything else to `err`. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether `err` is a terminal, so that progress may overwrite its own line. */
  readonly interactive: boolean;
}

export const processIo: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  interactive: process.stderr.isTTY ?? false,
};

/** Shows how far work has got, on a terminal only. */
export function progress(io: Io, what: string): { at(done: number, total: number): void; end(): void } {
  if (!io.interactive) return { at: () => {}, end: () => {} };
  return {
    at: (done, total) => io.err(`\r${what} ${done} of ${total}`),
    end: () => io.err('\r\u001b[K'),
  };
}

/** Runs steps to their end with a progress line. */
export function finish<R>(steps: Generator<Steps, R, void>, what: string, io: Io): R {
  const bar = progress(io, what);
  const result = drain(through(steps, ({ done, total }) => bar.at(done, total)));
  bar.end();
  return result;
}
