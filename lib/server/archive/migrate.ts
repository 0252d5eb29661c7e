import type { Client } from 'pg';

/** New tables may have to wait for a server that is busy, and nobody waits for them. */
const MIGRATE_MS = 60_000;
const CONNECT_MS = 2500;

/** Of the advisory lock under which tables are made: the app and its workers often start at the same moment. */
const TURN = 'hashtext(current_database() || $1)';

/** Brings the tables of a PostgreSQL server up to date, one process at a time. */
export async function migrateInTurn(connectionString: string, migrationsFolder: string): Promise<void> {
  const [{ drizzle }, { migrate }] = await Promise.all([
    import('drizzle-orm/node-postgres'),
    import('drizzle-orm/node-postgres/migrator'),
  ]);
  await inTurn(connectionString, 'statescope migrations', (client) => migrate(drizzle(client), { migrationsFolder }));
}

/**
 * Does what only one process at a time may do on a database.
 * @param what names it: others that come with the same name wait
 * @param work gets the connection that holds the turn, and may use others
 */
export async function inTurn<T>(
  connectionString: string,
  what: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: MIGRATE_MS,
    statement_timeout: 2 * MIGRATE_MS,
  });
  // The query that fails tells.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(`SELECT pg_advisory_lock(${TURN})`, [what]);
    return await work(client);
  } finally {
    // The lock goes with the session.
    await client.end().catch(() => undefined);
  }
}
