import { existsSync } from 'node:fs';
import { databaseFolder } from '@/lib/server/archive/places';
import { type JobsPlace, jobsFolder } from './place';

/** Sweeps that are neither over nor cancelled. */
export const UNFINISHED = `SELECT id FROM sweeps WHERE cancelled_at IS NULL
  AND items > (SELECT count(*) FROM sweep_results WHERE sweep = id) ORDER BY created_at, id`;

const ANSWER_MS = 5000;

/**
 * Whether there may be a sweep to go on with, without opening what is not there: an embedded database that has ever had one, or a
 * PostgreSQL server that answers and has one now.
 */
export async function hasUnfinishedSweeps(place: JobsPlace): Promise<boolean> {
  if (!place.databaseUrl) return existsSync(databaseFolder(jobsFolder(place)));
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString: place.databaseUrl,
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(UNFINISHED)).rows.length > 0;
  } catch {
    // No server that answers, or one without tables: who submits a sweep is told.
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
