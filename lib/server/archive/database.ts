import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { type Instances, joinInstances, onlyInstance } from './instances';
import { migrateInTurn } from './migrate';
import { databaseFolder } from './places';
import type { ArchiveStart } from './protocol';

export interface Database {
  readonly db: PgDatabase<PgQueryResultHKT>;
  /** The servers that use it, by `ArchiveStart.instance`. */
  readonly instances: Omit<Instances, 'close'>;
  close(): Promise<void>;
}

/** A PostgreSQL server that does not answer within these times (ms) counts as gone. */
const CONNECT_MS = 2500;
const QUERY_MS = 2500;

/** Fills a database folder that does not exist yet; it appears when it is complete. */
export async function copyTemplate(template: string, path: string): Promise<void> {
  if (existsSync(path) || !existsSync(join(template, 'PG_VERSION'))) return;
  const draft = `${path}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(join(path, '..'), { recursive: true });
  await cp(template, draft, { recursive: true });
  await rename(draft, path);
}

/**
 * Opens the PostgreSQL server at `databaseUrl`, else the embedded database inside the data folder, and brings its
 * tables up to date. Cost of the embedded one: about 1 s of processor time (7 s for a new folder without a
 * template), 300 MB.
 */
export async function openDatabase(start: ArchiveStart): Promise<Database> {
  const { folder, migrations: migrationsFolder, template, databaseUrl, instance } = start;
  if (databaseUrl) {
    const [{ default: pg }, { drizzle }] = await Promise.all([import('pg'), import('drizzle-orm/node-postgres')]);
    await migrateInTurn(databaseUrl, migrationsFolder);
    const client = () =>
      new pg.Client({
        connectionString: databaseUrl,
        connectionTimeoutMillis: CONNECT_MS,
        query_timeout: QUERY_MS,
        keepAlive: true,
      });
    const instances = await joinInstances(instance, client);
    const pool = new pg.Pool({
      connectionString: databaseUrl,
      max: 2,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      // The server gives up too what nobody waits for any more.
      statement_timeout: 2 * QUERY_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    // Without a listener a connection that breaks while idle would end the process; the next query tells.
    pool.on('error', () => undefined);
    // Of a connection that a transaction holds, the pool hears nothing: its next query fails, which is enough.
    pool.on('connect', (client) => client.on('error', () => undefined));
    const close = async () => {
      await Promise.all([pool.end(), instances.close()]);
    };
    return { db: drizzle(pool), instances, close };
  }
  const [{ PGlite }, { drizzle }, { migrate }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('drizzle-orm/pglite'),
    import('drizzle-orm/pglite/migrator'),
  ]);
  const path = databaseFolder(folder);
  await copyTemplate(template, path);
  await mkdir(path, { recursive: true });
  const client = await PGlite.create(path);
  const db = drizzle(client);
  await migrate(db, { migrationsFolder });
  return { db, instances: onlyInstance(instance), close: () => client.close() };
}
