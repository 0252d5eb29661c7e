import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { say } from './say';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Signal = (typeof SIGNALS)[number];

/** One Ctrl-C under npm comes twice: from the terminal, and passed on by npm. ms */
const SAME_PRESS = 500;

/** What `end` may take: whoever sent the signal is told 3 s. */
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

/** npm hands signals to the shell between it and us, and a shell that dies of one leaves us behind. ms */
const PARENT_CHECK = 250;

/** Calls back once when the process that started this one for npm has gone. */
function onOrphaned(gone: () => void): void {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    gone();
  }, PARENT_CHECK);
  check.unref();
}

/**
 * The first signal ends what runs, with exit code 0; the second leaves at once.
 * @param end resolves to whether nothing hangs; where something does, leaving does not wait for it.
 */
export function endOnSignals(end: () => Promise<boolean>): void {
  let first: number | undefined;
  const endFrom = async (signal: Signal) => {
    const whole = await Promise.race([end(), wait(PATIENCE, false)]);
    if (whole) process.exit(0);
    say('something did not stop in time: it is left behind');
    leaveAtOnce(signal);
  };
  const received = (signal: Signal) => {
    if (first === undefined) {
      first = Date.now();
      say('ending: what has been computed is kept (again to leave at once)');
      endFrom(signal).catch((error: Error) => {
        console.error(error);
        leaveAtOnce(signal);
      });
    } else if (Date.now() - first >= SAME_PRESS) leaveAtOnce(signal);
  };
  for (const signal of SIGNALS) process.on(signal, received);
  onOrphaned(() => {
    if (first === undefined) received('SIGHUP');
  });
}
