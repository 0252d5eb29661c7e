import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { JobsPlace } from './connection';

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

/** Where there is only one worker, nobody waits for a sign of it. */
export const NO_LEASES: Leases = { hold: () => undefined, drop: () => undefined, end: async () => undefined };

/**
 * Signs of life from a thread of their own: a layer, a step of training or the loading of a model may keep the computing thread
 * for longer than a lease lasts.
 */
export async function holdLeases({ root, databaseUrl }: JobsPlace, leaseSeconds: number): Promise<Leases> {
  const start: LeaseStart = { databaseUrl: databaseUrl as string, beat: (1000 * leaseSeconds) / 4 };
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
