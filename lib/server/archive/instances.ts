import type { Client } from 'pg';

/**
 * Servers that use one PostgreSQL database. Each has a name and holds an advisory lock of that name in a session of its
 * own for as long as it lives: PostgreSQL gives the lock back when the session ends, however that happens. So what a
 * server was doing that is gone can be told from what one that lives is doing.
 */
export interface Instances {
  /** Those of the names whose servers live. */
  alive(instances: readonly string[]): Promise<ReadonlySet<string>>;
  /** Does what one server at a time does for a store; undefined, and nothing done, while another does it. */
  exclusively<T>(store: string, work: () => Promise<T>): Promise<T | undefined>;
  close(): Promise<void>;
}

/** The number of a name's lock: the first 64 bits of the UUID. */
const keyOf = (instance: string): string =>
  BigInt.asIntN(64, BigInt(`0x${instance.replaceAll('-', '').slice(0, 16)}`)).toString();

/** What only one at a time does for a store; two numbers, so that it is never taken for the lock of a server. */
const turnOf = (store: string): [number, number] => [Number.parseInt(store.slice(0, 8), 16) | 0, 1];

/** Time between two tries to get a session back that broke. */
const REJOIN_MS = 1000;

const HELD = `SELECT ((classid::bigint << 32) | objid::bigint)::text AS key FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** @param connect makes a client that is not connected yet */
export async function joinInstances(instance: string, connect: () => Client): Promise<Instances> {
  let session: Client | null = null;
  let closed = false;
  const join = async (): Promise<void> => {
    const client = connect();
    // The end that follows an error is what counts.
    client.on('error', () => undefined);
    await client.connect();
    // Shared: a session that broke without PostgreSQL's notice may hold the name a little longer.
    await client.query('SELECT pg_advisory_lock_shared($1)', [keyOf(instance)]);
    if (closed) return client.end();
    session = client;
    client.on('end', () => {
      session = null;
      rejoin();
    });
  };
  const rejoin = (): void => {
    if (closed) return;
    setTimeout(() => join().catch(rejoin), REJOIN_MS).unref();
  };
  await join();
  return {
    async alive(instances) {
      if (instances.length === 0) return new Set();
      if (session === null) throw new Error('Connection terminated');
      const { rows } = await session.query<{ key: string }>(HELD);
      const held = new Set(rows.map(({ key }) => key));
      return new Set(instances.filter((name) => name === instance || held.has(keyOf(name))));
    },
    async exclusively(store, work) {
      const client = session;
      if (client === null) return undefined;
      const { rows } = await client.query('SELECT pg_try_advisory_lock($1, $2) AS turn', turnOf(store));
      if (!rows[0].turn) return undefined;
      try {
        return await work();
      } finally {
        // A session that broke has given it back.
        await client.query('SELECT pg_advisory_unlock($1, $2)', turnOf(store)).catch(() => undefined);
      }
    },
    async close() {
      closed = true;
      await session?.end();
    },
  };
}

/** Of the embedded database, which one server uses at a time. */
export const onlyInstance = (instance: string): Instances => ({
  alive: async (instances) => new Set(instances.filter((name) => name === instance)),
  exclusively: (_store, work) => work(),
  close: async () => undefined,
});
