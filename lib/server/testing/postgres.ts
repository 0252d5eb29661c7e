import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** PostgreSQL refuses to run as root; its packages make a user for it. Empty where we are somebody else anyway. */
function user(): { uid?: number; gid?: number } | undefined {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout),
  );
  return uid > 0 && gid > 0 ? { uid, gid } : undefined;
}

/** Where `initdb` and `postgres` lie; Debian keeps them outside the path. */
function programs(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(':')];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** Whether a PostgreSQL server can be started here: it needs its programs and another user than root. */
export const hasPostgres = programs() !== undefined && user() !== undefined;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** The parent of a process; undefined when there is no such process, or only its name is left. */
function parentOf(pid: string | number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

/** A PostgreSQL server of a test's own, on 127.0.0.1, in a temporary folder. */
export class TestPostgres {
  readonly #as = user() ?? {};

  private constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /** Makes an empty cluster; it does not run yet. */
  static async create(): Promise<TestPostgres> {
    const port = await freePort();
    const postgres = new TestPostgres(join(tmpdir(), `statescope-postgres-${process.pid}-${port}`), port);
    mkdirSync(postgres.folder);
    const { uid, gid } = postgres.#as;
    if (uid !== undefined && gid !== undefined) chownSync(postgres.folder, uid, gid);
    const args = ['-D', postgres.#cluster, '-A', 'trust', '-U', 'me', '--no-sync'];
    const { status, stderr } = spawnSync(postgres.#program('initdb'), args, {
      cwd: postgres.folder,
      encoding: 'utf8',
      ...postgres.#as,
    });
    if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
    return postgres;
  }

  url = (database = 'postgres') => `postgres://me@127.0.0.1:${this.port}/${database}`;

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    const settings = ['-h', '127.0.0.1', '-p', `${this.port}`, '-k', this.folder, '-c', 'fsync=off'];
    const args = ['-D', this.#cluster, ...settings];
    spawn(this.#program('postgres'), args, { cwd: this.folder, stdio: 'ignore', detached: true, ...this.#as }).unref();
    for (;;) {
      try {
        await this.query('select 1');
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async query(sql: string, database?: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.url(database), connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async database(name: string): Promise<string> {
    await this.query(`create database ${name}`);
    return this.url(name);
  }

  /** Ends it in good order, connections included. */
  stop = (): Promise<void> => this.#end('SIGINT');

  /** As when the network is lost: connections stay open and nothing answers. */
  freeze = (): void => this.#signal('SIGSTOP');
  thaw = (): void => this.#signal('SIGCONT');

  async remove(): Promise<void> {
    await this.#end('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #cluster(): string {
    return join(this.folder, 'cluster');
  }

  #program = (name: string) => join(programs() as string, name);

  /** The postmaster, and all that it started. */
  #processes(): number[] {
    const file = join(this.#cluster, 'postmaster.pid');
    if (!existsSync(file)) return [];
    const postmaster = Number(readFileSync(file, 'utf8').split('\n')[0]);
    const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === postmaster);
    return [postmaster, ...children.map(Number)];
  }

  #signal(name: NodeJS.Signals): void {
    for (const pid of this.#processes()) {
      try {
        process.kill(pid, name);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const processes = this.#processes();
    const [postmaster] = processes;
    if (signal === 'SIGKILL') this.#signal(signal);
    else if (postmaster) process.kill(postmaster, signal);
    while (processes.some((pid) => parentOf(pid) !== undefined))
      await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
