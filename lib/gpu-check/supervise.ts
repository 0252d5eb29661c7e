import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Environment } from './drivers';
import type { Finding, Message } from './step';
import { linesOf } from './table';

export interface Supervision {
  readonly groups: readonly string[];
  /** Node's arguments for the process of a group that skips so many steps. */
  readonly argumentsOf: (group: string, skip: number) => string[];
  /** Where results.jsonl, results.txt and log.txt go. */
  readonly out: string;
  readonly environment: Environment;
  readonly print: (line: string) => void;
  /** After this many seconds in all, what is left is left out. */
  readonly seconds: number;
}

/** Seconds until a process must have begun its first step: it loads the program and makes the cases. */
const START_SECONDS = 120;

/** Seconds after which a process that was ended is left alone: a driver may hold it in the kernel, or a child of its own its pipes. */
const GRACE_SECONDS = 5;

/** More crashes than this in one group, and the rest of it is left out. */
const CRASHES = 5;

/**
 * Runs groups of steps one after the other, each in a process of its own. A step that hangs or takes the process down is
 * written as failed, and another process goes on behind it. Every result is in the files before the next step begins.
 * @returns how many steps were right and how many were not.
 */
export async function supervise(what: Supervision): Promise<{ right: number; wrong: number }> {
  const counts = { right: 0, wrong: 0 };
  mkdirSync(what.out, { recursive: true });
  const files = { json: join(what.out, 'results.jsonl'), table: join(what.out, 'results.txt') };
  for (const file of [...Object.values(files), join(what.out, 'log.txt')]) writeFileSync(file, '');
  const show = (line: string) => {
    what.print(line);
    appendFileSync(files.table, `${line}\n`);
  };
  const record = (group: string, step: string, finding: Finding) => {
    counts[finding.ok ? 'right' : 'wrong'] += 1;
    appendFileSync(files.json, `${JSON.stringify({ group, step, ...finding })}\n`);
    for (const line of linesOf(step, finding)) show(line);
  };
  const end = Date.now() + 1000 * what.seconds;
  for (const group of what.groups) {
    show(`\n${group}`);
    let [skip, crashes] = [0, 0];
    for (let done = false; !done; ) {
      if (Date.now() > end) {
        record(group, 'the rest', { ok: false, note: `left out: ${what.seconds} seconds are over` });
        break;
      }
      const went = await runProcess(what, group, skip, end, (step, finding) => record(group, step, finding));
      skip += went.steps;
      done = went.done;
      if (done) continue;
      record(group, went.during ?? 'start', { ok: false, note: went.why });
      skip += went.during ? 1 : 0;
      crashes += 1;
      done = !went.during || crashes > CRASHES;
    }
  }
  show(`\n${counts.right} right, ${counts.wrong} wrong; ${files.json}`);
  return counts;
}

interface Went {
  /** Steps that found something. */
  readonly steps: number;
  /** Whether the process came to its end by itself. */
  readonly done: boolean;
  /** The step that it did not come out of. */
  readonly during?: string;
  readonly why?: string;
}

function runProcess(
  { argumentsOf, out, environment, seconds: together }: Supervision,
  group: string,
  skip: number,
  end: number,
  onFinding: (step: string, finding: Finding) => void,
): Promise<Went> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, argumentsOf(group, skip), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment as NodeJS.ProcessEnv,
    });
    let [steps, during, late] = [0, undefined as string | undefined, ''];
    let lastWords = '';
    const limit = (seconds: number) => {
      const left = Math.max(0, end - Date.now());
      const isLast = left < 1000 * seconds;
      return setTimeout(
        () => {
          late = isLast ? `cut off: ${together} seconds are over` : `it took more than ${seconds} s`;
          child.kill('SIGKILL');
          timer = setTimeout(leave, 1000 * GRACE_SECONDS);
        },
        isLast ? left : 1000 * seconds,
      );
    };
    const leave = () => {
      child.unref();
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ steps, done: false, during, why: `${late}, and its process does not end` });
    };
    let timer = limit(START_SECONDS);
    const log = (text: string) => {
      lastWords = text.trim().split('\n').at(-1) || lastWords;
      appendFileSync(join(out, 'log.txt'), text);
    };
    child.stderr.on('data', (chunk) => log(String(chunk)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = messageOf(line);
      if (!message) return log(`${line}\n`);
      // What comes after the end of its time is too late.
      if (late) return;
      clearTimeout(timer);
      if ('begin' in message) {
        during = message.begin;
        timer = limit(message.seconds);
        return;
      }
      steps += 1;
      during = undefined;
      timer = limit(START_SECONDS);
      onFinding(message.found, message.finding);
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ steps, done: false, during, why: error.message });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const end = `its process ended with ${signal ?? `code ${code}`}`;
      const why = late || (lastWords ? `${end}: ${lastWords}` : end);
      resolve({ steps, done: code === 0 && during === undefined, during, why });
    });
  });
}

/** What other libraries print on stdout is no message. */
function messageOf(line: string): Message | undefined {
  if (!line.startsWith('{"begin"') && !line.startsWith('{"found"')) return undefined;
  return JSON.parse(line);
}
