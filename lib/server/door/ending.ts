import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { say } from './say';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Signal = (typeof SIGNALS)[number];

/** One Ctrl-C under npm comes twice: from the terminal, and passed on by npm. ms */
const SAME_PRESS = 500;

/** What `end` may take. Leaving takes a moment, and supervisors are told 3 s. */
const PATIENCE = 2500;

/**
 * Dies of the signal as if nobody had listened to it. `process.exit` would wait for threads, and one of them may be in
 * a computation that does not end; only where the system spares the process (as the first of a container) is it used.
 */
function leaveAtOnce(signal: Signal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  process.exit(128 + constants.signals[signal]);
}

/** The first signal ends what runs, with exit code 0; the second leaves at once, and so does the first after 2.5 s. */
export function endOnSignals(end: () => Promise<void>): void {
  let first: number | undefined;
  const endFrom = async (signal: Signal) => {
    const ended = await Promise.race([end().then(() => true), wait(PATIENCE, false)]);
    if (ended) process.exit(0);
    say(`it did not end within ${PATIENCE / 1000} s: what had not been kept by then is lost`);
    leaveAtOnce(signal);
  };
  for (const signal of SIGNALS)
    process.on(signal, () => {
      if (first === undefined) {
        first = Date.now();
        say('ending: what has been computed is kept (press again to leave at once)');
        endFrom(signal).catch((error: Error) => {
          console.error(error);
          leaveAtOnce(signal);
        });
      } else if (Date.now() - first >= SAME_PRESS) leaveAtOnce(signal);
    });
}
