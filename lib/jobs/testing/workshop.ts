import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { BlockKind } from '@/lib/checkpoint';
import { demoLines } from '@/lib/data/demo-stories';
import { writeModel } from '@/lib/server/testing/workspace';
import { PROGRAM } from '@/scripts/lib/bundle.mjs';

/** A process of the command line, with what it has written so far. */
export interface Process {
  readonly child: ChildProcess;
  readonly output: { out: string; err: string };
  /** Its exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Waits until stderr holds a text. */
  says(text: string | RegExp): Promise<void>;
}

/** So many blocks that a sweep of some prompts can be met half-way, and no more. */
const MIDDLE = { layers: Array<BlockKind>(16).fill('mamba2'), expand: 2 };

/** A folder like an installed Statescope, with the command line and small random models. */
export class Workshop {
  readonly root: string;
  readonly #running = new Set<ChildProcess>();

  private constructor(root: string) {
    this.root = root;
  }

  /** @param more bundles beside that of the command line: name and source */
  static async make(models: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Workshop> {
    const cache = join(process.cwd(), 'node_modules', '.cache');
    await mkdir(cache, { recursive: true });
    const root = await mkdtemp(join(cache, 'statescope-jobs-'));
    await mkdir(join(root, 'models'));
    const migrations = 'lib/server/archive/migrations';
    const empty = join(process.cwd(), 'dist', 'database');
    await Promise.all([
      build({
        ...PROGRAM,
        entryPoints: {
          cli: 'lib/cli/main.ts',
          leases: 'lib/jobs/leases-thread.ts',
          rows: 'lib/training/rows-thread.ts',
          ...more,
        },
        outdir: join(root, 'dist'),
        outExtension: { '.js': '.mjs' },
      }),
      copyFile('package.json', join(root, 'package.json')),
      cp(migrations, join(root, migrations), { recursive: true }),
      existsSync(empty) && cp(empty, join(root, 'dist', 'database'), { recursive: true }),
      ...models.map((name) => writeModel(join(root, 'models'), name, name === 'middle' ? MIDDLE : undefined)),
    ]);
    return new Workshop(root);
  }

  /** A sweep of SNR as a file. */
  async snrFile(name: string, models: readonly string[], examples: number): Promise<string> {
    await writeFile(join(this.root, `${name}.jsonl`), demoLines(`demo:${examples}`, 1) as string);
    const path = join(this.root, `${name}.json`);
    const sweep = { kind: 'snr', models, examples: [join(this.root, `${name}.jsonl`)], resamples: 50 };
    await writeFile(path, JSON.stringify(sweep));
    return path;
  }

  /** Starts a command in a process of its own, on the portable device, whose numbers are the same everywhere. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Process {
    return this.startBundle('cli', args, env);
  }

  /** The same of another bundle. */
  startBundle(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Process {
    return this.startProgram(process.execPath, [join(this.root, 'dist', `${name}.mjs`), ...args], env);
  }

  /** Any program, in the folder and with the variables that make a bundle started by it one of this workshop. */
  startProgram(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Process {
    const child = spawn(program, args, {
      cwd: this.root,
      env: {
        ...process.env,
        DATABASE_URL: '',
        STATESCOPE_DEVICE: 'cpu',
        STATESCOPE_LEASE_SECONDS: '3',
        STATESCOPE_ROOT: this.root,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#running.add(child);
    const output = { out: '', err: '' };
    child.stdout?.on('data', (text) => {
      output.out += text;
    });
    child.stderr?.on('data', (text) => {
      output.err += text;
    });
    const ended = new Promise<number | null>((resolve) => {
      child.on('close', (code) => {
        this.#running.delete(child);
        resolve(code);
      });
    });
    const says = (text: string | RegExp) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (typeof text === 'string' ? output.err.includes(text) : text.test(output.err)) resolve();
        };
        child.stderr?.on('data', look);
        void ended.then(() => reject(new Error(`It ended without saying ${text}: ${output.err}`)));
        look();
      });
    return { child, output, ended, says };
  }

  async remove(): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL');
    await rm(this.root, { recursive: true, force: true });
  }
}
