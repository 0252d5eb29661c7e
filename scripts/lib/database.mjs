import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { ROOT } from './root.mjs';

/** A database with the archive's tables and no rows: making one costs 4 s of processor time, copying it some tenths of a second. */
export const DATABASE = join(ROOT, 'dist', 'database');

export const hasDatabase = () => existsSync(join(DATABASE, 'PG_VERSION'));

export async function makeDatabase() {
  rmSync(DATABASE, { recursive: true, force: true });
  const database = await PGlite.create(DATABASE);
  await migrate(drizzle(database), { migrationsFolder: join(ROOT, 'lib', 'server', 'archive', 'migrations') });
  await database.close();
}
