import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Sql } from './connection';
import type { JobsPlace } from './place';
import { JOB_TABLE, QUEUE } from './queue';

/** Says of items, while they are being computed, that their worker lives. */
export interface Leases {
  /** Items that were just taken. */
  hold(ids: readonly string[]): void;
  /** One of them has ended. */
  drop(id: string): void;
  end(): Promise<void>;
}

export interface LeaseStart {
  readonly databaseUrl: string;
  /** Milliseconds between two signs of life. */
  readonly beat: number;
}

export type LeaseMessage = { readonly hold: readonly string[] } | { readonly drop: string };

/** Says that items of the queue are in work, those that still are. */
export const SIGN = `UPDATE ${JOB_TABLE} SET started_on = now() WHERE name = $1 AND id = ANY($2::uuid[]) AND state = 'active'`;

/** How often a sign of life comes in a lease. */
const SIGNS = 4;

/**
 * Of the only worker of an embedded database: its own engine, which takes back what no sign comes of, stands still with it where
 * the item is computed in the same thread.
 */
export function ownLeases(sql: Sql, leaseSeconds: number): Leases {
  const held = new Set<string>();
  const say = () => {
    if (held.size > 0) void sql.query(SIGN, [QUEUE, [...held]]).catch(() => undefined);
  };
  const timer = setInterval(say, (1000 * leaseSeconds) / SIGNS);
  timer.unref();
  return {
    hold: (ids) => {
      for (const id of ids) held.add(id);
    },
    drop: (id) => held.delete(id),
    end: async () => clearInterval(timer),
  };
}

/**
 * Signs of life from a thread of their own: a layer, a step of training or the loading of a model may keep the computing thread
 * for longer than a lease lasts.
 */
export async function holdLeases({ root, databaseUrl }: JobsPlace, leaseSeconds: number): Promise<Leases> {
  const start: LeaseStart = { databaseUrl: databaseUrl as string, beat: (1000 * leaseSeconds) / SIGNS };
  const thread = new Worker(join(root, 'dist', 'leases.mjs'), { workerData: start });
  const send = (message: LeaseMessage) => thread.postMessage(message);
  thread.unref();
  return {
    hold: (ids) => {
      if (ids.length > 0) send({ hold: ids });
    },
    drop: (id) => send({ drop: id }),
    end: async () => {
      await thread.terminate();
    },
  };
}
