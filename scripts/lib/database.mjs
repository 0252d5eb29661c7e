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
  // Nobody makes another database of them, and they are 600 of the 1,000 files that every new data folder is copied from.
  await database.exec('UPDATE pg_database SET datistemplate = false WHERE datistemplate');
  for (const template of ['template0', 'template1']) await database.exec(`DROP DATABASE ${template}`);
  await database.close();
}
