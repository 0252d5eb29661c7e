import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@/lib/input-error';
import { causeOf } from '@/lib/server/archive/cause';
import { copyTemplate } from '@/lib/server/archive/database';
import { lockFolder } from '@/lib/server/archive/lock';
import { checkFolder, markFolder } from '@/lib/server/archive/marker';
import { inTurn, migrateInTurn } from '@/lib/server/archive/migrate';
import { databaseFolder } from '@/lib/server/archive/places';
import { type JobsPlace, jobsFolder } from './place';

/** What runs SQL: a connection, or a transaction on one. */
export interface Sql {
  query<R>(text: string, values?: readonly unknown[]): Promise<R[]>;
}

export interface Connection extends Sql {
  /** Whether other processes can use the database at the same time. */
  readonly shared: boolean;
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Does what only one process at a time may do. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const CONNECT_MS = 5000;
const QUERY_MS = 60_000;

/** Opens the database of the jobs and brings its tables up to date. @throws InputError with one sentence */
export async function connect(place: JobsPlace): Promise<Connection> {
  try {
    return await (place.databaseUrl ? openServer(place, place.databaseUrl) : openEmbedded(place));
  } catch (error) {
    if (error instanceof InputError) throw error;
    const where = place.databaseUrl ? 'at DATABASE_URL' : `in ${jobsFolder(place)}`;
    throw new InputError(`The database of the jobs ${where} cannot be opened: ${causeOf(error).words}.`);
  }
}

const migrationsOf = ({ root }: JobsPlace) => join(root, 'lib', 'server', 'archive', 'migrations');

async function openServer(place: JobsPlace, connectionString: string): Promise<Connection> {
  const { default: pg } = await import('pg');
  await migrateInTurn(connectionString, migrationsOf(place));
  const pool = new pg.Pool({
    connectionString,
    max: 2,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
    keepAlive: true,
    application_name: 'statescope jobs',
  });
  // Without a listener a connection that breaks while idle would end the process; the next query tells.
  pool.on('error', () => undefined);
  // Of a connection that a transaction holds, the pool hears nothing: its next query fails, which is enough.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return {
    shared: true,
    async query(text, values) {
      const client = await pool.connect();
      try {
        const { rows } = await client.query(text, values as unknown[]);
        client.release();
        return rows;
      } catch (error) {
        // What began a transaction in the text has left it open: the connection goes with it.
        client.release(error as Error);
        throw error;
      }
    },
    inTurn: (work) => inTurn(connectionString, 'statescope jobs', work),
    async transaction(work) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const result = await work({
          query: async (text, values) => (await client.query(text, values as unknown[])).rows,
        });
        await client.query('COMMIT');
        client.release();
        return result;
      } catch (error) {
        // The connection goes with its transaction.
        client.release(error as Error);
        throw error;
      }
    },
    close: () => pool.end(),
  };
}

async function openEmbedded(place: JobsPlace): Promise<Connection> {
  const [{ PGlite }, { drizzle }, { migrate }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('drizzle-orm/pglite'),
    import('drizzle-orm/pglite/migrator'),
  ]);
  checkFolder(place.folder);
  markFolder(place.folder);
  const folder = jobsFolder(place);
  const lock = await lockFolder(folder, undefined, undefined, console.warn).catch((error: Error) => {
    throw new InputError(
      `The jobs in ${folder} are in another process's hands (${error.message.match(/process \d+[^)]*/)?.[0] ?? error.message}): wait for it, or set DATABASE_URL to a PostgreSQL server, which many processes share.`,
    );
  });
  try {
    const path = databaseFolder(folder);
    await copyTemplate(join(place.root, 'dist', 'database'), path);
    if (!existsSync(path)) await mkdir(path, { recursive: true });
    const client = await PGlite.create(path);
    await migrate(drizzle(client), { migrationsFolder: migrationsOf(place) });
    return {
      shared: false,
      async query<R>(text: string, values: readonly unknown[] = []) {
        if (values.length > 0) return (await client.query<R>(text, [...values])).rows;
        try {
          // Several statements in one text, as pg-boss sends them.
          return ((await client.exec(text)).at(-1)?.rows ?? []) as R[];
        } catch (error) {
          // What began a transaction in the text has left it open.
          if (/^\s*BEGIN/.test(text)) await client.exec('ROLLBACK');
          throw error;
        }
      },
      transaction: (work) =>
        client.transaction((tx) =>
          work({
            query: async <R>(text: string, values?: readonly unknown[]) =>
              (await tx.query<R>(text, values?.slice())).rows,
          }),
        ),
      inTurn: (work) => work(),
      async close() {
        await client.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Runs until the database answers; what fails for another reason than a lost connection is thrown. */
export async function persistently<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let wait = 250; ; wait = Math.min(2 * wait, 5000)) {
    try {
      return await work();
    } catch (error) {
      if (!causeOf(error).lost || signal?.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
