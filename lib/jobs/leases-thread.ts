import { parentPort, workerData } from 'node:worker_threads';
import pg from 'pg';
import { type LeaseMessage, type LeaseStart, SIGN } from './leases';
import { QUEUE } from './queue';

/** The thread that says of the items in work that their worker lives (leases.ts). */

const { databaseUrl, beat } = workerData as LeaseStart;
const pool = new pg.Pool({ connectionString: databaseUrl, max: 1, connectionTimeoutMillis: beat, query_timeout: beat });
pool.on('error', () => undefined);

const held = new Set<string>();

async function say(): Promise<void> {
  if (held.size === 0) return;
  // A database that is away is asked again at the next beat; results are safe without it (engine.ts).
  await pool.query(SIGN, [QUEUE, [...held]]).catch(() => undefined);
}

setInterval(say, beat);
parentPort?.on('message', (message: LeaseMessage) => {
  if ('drop' in message) held.delete(message.drop);
  else for (const id of message.hold) held.add(id);
});
