import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { databaseFolder } from './places';
import type { ArchiveStart } from './protocol';

export interface Database {
  readonly db: PgDatabase<PgQueryResultHKT>;
  close(): Promise<void>;
}

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
export async function openDatabase({ folder, migrations, template, databaseUrl }: ArchiveStart): Promise<Database> {
  const migrationsFolder = migrations;
  if (databaseUrl) {
    const [{ default: pg }, { drizzle }, { migrate }] = await Promise.all([
      import('pg'),
      import('drizzle-orm/node-postgres'),
      import('drizzle-orm/node-postgres/migrator'),
    ]);
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
    // Without a listener a connection that breaks while idle would end the process.
    pool.on('error', (error) => console.error('The connection to PostgreSQL broke:', error.message));
    const db = drizzle(pool);
    await migrate(db, { migrationsFolder });
    return { db, close: () => pool.end() };
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
  return { db, close: () => client.close() };
}
