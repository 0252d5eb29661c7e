import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../lib/serve.mjs';
import { killGroup } from './server.mjs';

const isRoot = process.getuid?.() === 0;

function binaries() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(':')];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** What a PostgreSQL of its own would need here; undefined where one can be started. */
export function missingPostgres() {
  if (!binaries()) return 'PostgreSQL (initdb and postgres)';
  if (isRoot && spawnSync('runuser', ['-u', 'postgres', '--', 'true']).status !== 0)
    return 'a user postgres (PostgreSQL does not run as root)';
  return undefined;
}

/** A PostgreSQL server of its own that may be killed. */
export class Postgres {
  static async start(world) {
    const postgres = new Postgres();
    postgres.world = world;
    postgres.bin = binaries();
    postgres.port = await freePort();
    postgres.folder = world.make('postgres');
    if (isRoot) {
      chmodSync(world.folder, 0o711);
      const [uid, gid] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, 'postgres']).stdout));
      chownSync(postgres.folder, uid, gid);
    }
    postgres.#run('initdb', ['-D', join(postgres.folder, 'cluster'), '-A', 'trust', '-U', 'statescope', '--no-sync']);
    world.defer(() => postgres.kill());
    await postgres.up();
    return postgres;
  }

  #as(program, args) {
    const command = [join(this.bin, program), ...args];
    return isRoot ? ['runuser', '-u', 'postgres', '--', ...command] : command;
  }

  #run(program, args) {
    const [command, ...rest] = this.#as(program, args);
    const { status, stderr } = spawnSync(command, rest, { cwd: this.folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
  }

  /** Starts it (again) and waits until it answers. */
  async up() {
    const settings = [
      '-h',
      '127.0.0.1',
      '-p',
      this.port,
      '-k',
      this.folder,
      '-c',
      'fsync=off',
      '-c',
      'max_connections=30',
    ];
    const args = ['-D', join(this.folder, 'cluster'), ...settings.map(String)];
    const [command, ...rest] = this.#as('postgres', args);
    const child = spawn(command, rest, { cwd: this.folder, stdio: 'ignore', detached: true });
    child.unref();
    // What starts it under another name stops with it, and would stay.
    this.world.defer(() => killGroup(child.pid));
    await this.world.until('PostgreSQL answers', () => this.query('select 1').catch(() => null));
  }

  async query(sql, database = 'postgres') {
    const client = new pg.Client({ connectionString: this.url(database), connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  url = (database) => `postgres://statescope@127.0.0.1:${this.port}/${database}`;

  async database(name) {
    await this.query(`create database ${name}`);
    return this.url(name);
  }

  /** The postmaster and all that it started. */
  #processes() {
    const file = join(this.folder, 'cluster', 'postmaster.pid');
    if (!existsSync(file)) return [];
    const postmaster = Number(readFileSync(file, 'utf8').split('\n')[0]);
    const parents = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), parentOf(name)]);
    return [postmaster, ...parents.filter(([, parent]) => parent === postmaster).map(([pid]) => pid)];
  }

  #signal(name) {
    for (const pid of this.#processes()) {
      try {
        process.kill(pid, name);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
  }

  /** SIGSTOP of all of it: connections stay open and nothing answers, as when the network is lost. */
  freeze() {
    this.#signal('SIGSTOP');
    this.world.count('freezes of PostgreSQL');
  }

  thaw() {
    this.#signal('SIGCONT');
  }

  /** kill −9 of all of it. */
  async kill() {
    this.#signal('SIGKILL');
    await this.world.until('PostgreSQL has gone', () => this.#processes().every((pid) => parentOf(pid) === undefined));
  }
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
