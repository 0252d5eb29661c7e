import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runCli } from '@/lib/cli/program';
import { adapter } from './adapter';
import { runGroup } from './child';
import { models, operations, withoutSubgroups } from './correctness';
import { driverEnvironment, type Environment } from './drivers';
import { peer } from './peer';
import { speeds } from './speed';
import type { Group, Size } from './step';
import { supervise } from './supervise';

const HELP = `check: whether the webgpu device is right on this machine, and how fast.

  --small        few cases and tiny shapes, for a processor that imitates a GPU
  --only LIST    groups whose name contains one of these words
  --out FOLDER   where results.jsonl, results.txt and log.txt go (default: gpu-results)
  statescope …   the command line, such as: ./check statescope bench --device webgpu
`;

/** Everything together ends after this many seconds; on a processor that imitates a GPU after more. */
const [SECONDS, SMALL_SECONDS] = [540, 3600];

const SELF = fileURLToPath(import.meta.url);
const HOME = dirname(SELF);

/** Libraries for machines that lack them; only the bundle has them. */
const LIBRARIES = join(HOME, 'lib');

/** First argument of the process in which a command line of ours runs, after a driver was looked for. */
const INSIDE = 'statescope-inside';

const OPTIONS = {
  small: { type: 'boolean', default: false },
  only: { type: 'string' },
  out: { type: 'string', default: 'gpu-results' },
  help: { type: 'boolean', default: false },
  // Of the bundle, where they lie beside this program; of the repository, given by npm run gpu:check.
  cases: { type: 'string', default: join(HOME, 'cases') },
  peer: { type: 'string', default: join(HOME, 'peer.py') },
  // Of the process of one group.
  group: { type: 'string' },
  skip: { type: 'string', default: '0' },
} as const;

const groupsOf = (size: Size, script: string): Group[] => [
  adapter,
  operations,
  withoutSubgroups,
  models,
  ...speeds(size),
  peer(script),
];

async function check(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const size: Size = { small: values.small, cases: resolve(values.cases) };
  const groups = groupsOf(size, values.peer);
  if (values.group) {
    const group = groups.find(({ name }) => name === values.group);
    if (!group) throw new Error(`There is no group "${values.group}".`);
    await runGroup(group, size, Number(values.skip));
    return 0;
  }
  const only = values.only?.split(',');
  const chosen = groups.map(({ name }) => name).filter((name) => !only || only.some((word) => name.includes(word)));
  if (chosen.length === 0)
    throw new Error(`--only chooses nothing: there are ${groups.map(({ name }) => name).join(', ')}.`);
  return whole(values, size, chosen);
}

/** Runs `body` with an environment in which a driver is found. */
async function withDriver<T>(body: (environment: Environment, notes: readonly string[]) => T | Promise<T>) {
  const scratch = mkdtempSync(join(tmpdir(), 'statescope-gpu-'));
  try {
    const bundled = existsSync(LIBRARIES) ? LIBRARIES : undefined;
    const { environment, notes } = driverEnvironment(process.env, bundled, scratch);
    return await body(environment, notes);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const whole = (values: { out: string; small: boolean; peer: string }, { cases }: Size, groups: readonly string[]) =>
  withDriver(async (environment, notes) => {
    const print = (line: string) => void process.stdout.write(`${line}\n`);
    for (const note of notes) print(note);
    const fixed = ['--cases', cases, '--peer', values.peer, ...(values.small ? ['--small'] : [])];
    const { wrong } = await supervise({
      groups,
      argumentsOf: (group, skip) => [SELF, '--group', group, '--skip', String(skip), ...fixed],
      out: resolve(values.out),
      environment,
      print,
      seconds: values.small ? SMALL_SECONDS : SECONDS,
    });
    return wrong === 0 ? 0 : 1;
  });

const commandLine = (args: readonly string[]) =>
  withDriver((environment, notes) => {
    for (const note of notes) process.stderr.write(`${note}\n`);
    const { status } = spawnSync(process.execPath, [SELF, INSIDE, ...args], {
      stdio: 'inherit',
      env: environment as NodeJS.ProcessEnv,
    });
    return status ?? 1;
  });

const [first, ...rest] = process.argv.slice(2);
try {
  if (first === INSIDE) process.exitCode = await runCli(rest);
  else process.exitCode = await (first === 'statescope' ? commandLine(rest) : check(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`check: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
