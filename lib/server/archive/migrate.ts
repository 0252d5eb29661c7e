/** New tables may have to wait for a server that is busy, and nobody waits for them. */
const MIGRATE_MS = 60_000;
const CONNECT_MS = 2500;

/** Of the advisory lock under which tables are made: the app and its workers often start at the same moment. */
const TURN = 'hashtext(current_database() || $1)';

/** Brings the tables of a PostgreSQL server up to date, one process at a time. */
export async function migrateInTurn(connectionString: string, migrationsFolder: string): Promise<void> {
  const [{ default: pg }, { drizzle }, { migrate }] = await Promise.all([
    import('pg'),
    import('drizzle-orm/node-postgres'),
    import('drizzle-orm/node-postgres/migrator'),
  ]);
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
    await client.query(`SELECT pg_advisory_lock(${TURN})`, ['statescope migrations']);
    await migrate(drizzle(client), { migrationsFolder });
  } finally {
    // The lock goes with the session.
    await client.end().catch(() => undefined);
  }
}
