import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { ROOT } from './root.mjs';

/** An empty database: making one costs 7 s of processor time, copying it a tenth of a second. */
export const DATABASE = join(ROOT, 'dist', 'database');

export const hasDatabase = () => existsSync(join(DATABASE, 'PG_VERSION'));

export async function makeDatabase() {
  rmSync(DATABASE, { recursive: true, force: true });
  const database = await PGlite.create(DATABASE);
  await database.close();
}
