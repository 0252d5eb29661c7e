// A PostgreSQL server of one's own, for tests and for what goes wrong on purpose.
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './serve.mjs';

/** A server that has not answered by then does not start. */
const PATIENCE_MS = 120_000;

/** PostgreSQL refuses to run as root; its packages make a user for it. Empty where we are somebody else anyway. */
function user() {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout),
  );
  return uid > 0 && gid > 0 ? { uid, gid } : undefined;
}

/** Where `initdb` and `postgres` lie; Debian keeps them outside the path. */
function programs() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(':')];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** What a PostgreSQL server would need here; undefined where one can be started. */
export function missingPostgres() {
  if (!programs()) return 'PostgreSQL (initdb and postgres)';
  return user() ? undefined : 'a user postgres (PostgreSQL does not run as root)';
}

/** The parent of a process; undefined when there is no such process, or only its name is left. */
function parentOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

/** Listens on 127.0.0.1 only, and keeps its cluster in a temporary folder. */
export class Postgres {
  #folder = mkdtempSync(join(tmpdir(), 'statescope-postgres-'));
  #cluster = join(this.#folder, 'cluster');
  #options = { cwd: this.#folder, ...user() };
  #port = 0;

  /** Makes an empty cluster; it does not run yet. */
  static async create() {
    const postgres = new Postgres();
    const { uid, gid } = postgres.#options;
    if (uid !== undefined) chownSync(postgres.#folder, uid, gid);
    postgres.#port = await freePort();
    const args = ['-D', postgres.#cluster, '-A', 'trust', '-U', 'statescope', '--no-sync'];
    const { status, stderr } = spawnSync(join(programs(), 'initdb'), args, { ...postgres.#options, encoding: 'utf8' });
    if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
    return postgres;
  }

  url = (database = 'postgres') => `postgres://statescope@127.0.0.1:${this.#port}/${database}`;

  /** Starts it (again) and waits until it answers. */
  async start() {
    const settings = ['-h', '127.0.0.1', '-p', `${this.#port}`, '-k', this.#folder, '-c', 'fsync=off'];
    const args = ['-D', this.#cluster, ...settings];
    spawn(join(programs(), 'postgres'), args, { ...this.#options, stdio: 'ignore', detached: true }).unref();
    for (const end = Date.now() + PATIENCE_MS; ; await sleep(50)) {
      try {
        await this.query('select 1');
        return;
      } catch (error) {
        if (Date.now() > end) throw error;
      }
    }
  }

  /**
   * @param {string} sql
   * @param {string} [database]
   * @returns {Promise<Record<string, unknown>[]>}
   */
  async query(sql, database) {
    const client = new pg.Client({ connectionString: this.url(database), connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Makes a database. @returns its address */
  async database(name) {
    await this.query(`create database ${name}`);
    return this.url(name);
  }

  /** Ends it in good order, connections included. */
  stop = () => this.#end('SIGINT');

  /** kill −9 of all of it. */
  kill = () => this.#end('SIGKILL');

  /** As when the network is lost: connections stay open and nothing answers. */
  freeze = () => this.#signal('SIGSTOP', this.#processes());
  thaw = () => this.#signal('SIGCONT', this.#processes());

  /** Kills it and takes its cluster away. */
  async remove() {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The postmaster, and all that it started. */
  #processes() {
    const file = join(this.#cluster, 'postmaster.pid');
    if (!existsSync(file)) return [];
    const postmaster = Number(readFileSync(file, 'utf8').split('\n')[0]);
    const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === postmaster);
    return [postmaster, ...children.map(Number)];
  }

  #signal(name, processes) {
    for (const pid of processes) {
      try {
        process.kill(pid, name);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
  }

  /** The postmaster ends the others in good order; killed, it could not. */
  async #end(name) {
    const processes = this.#processes();
    this.#signal(name, name === 'SIGKILL' ? processes : processes.slice(0, 1));
    while (processes.some((pid) => parentOf(pid) !== undefined)) await sleep(20);
  }
}
