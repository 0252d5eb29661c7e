/** HTTP with patience: what may pass by itself is tried again, everything else is told in one sentence. */

import { setTimeout as delay } from 'node:timers/promises';
import { InputError } from '@/lib/checkpoint';

export interface Patience {
  /** How often in a row a request may fail without getting any further. */
  readonly retries: number;
  /** Milliseconds before the first retry; doubled with each failure in a row. */
  readonly pauseMs: number;
  readonly signal?: AbortSignal;
}

/** A failure that may pass: the connection broke, or the server is overloaded. */
export class TransientError extends Error {}

/** The words of Node's fetch for a failed connection are in its cause. */
export function connectionError(url: string, cause: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const { code, message } = ((cause as Error).cause ?? cause) as NodeJS.ErrnoException;
  return new TransientError(`the connection to ${new URL(url).host} failed (${code ?? message})`);
}

/** @throws TransientError where the server cannot be reached, is overloaded or fails */
export async function request(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch((cause) => {
    throw connectionError(url, cause, init.signal ?? undefined);
  });
  if (response.status === 429 || response.status >= 500) {
    await response.body?.cancel();
    throw new TransientError(`${new URL(url).host} answered ${response.status}`);
  }
  return response;
}

/**
 * Repeats an attempt for as long as it fails transiently, with growing pauses.
 * @param advanced whether the last attempt got further before it failed; then the count of failures starts again
 * @throws InputError after too many failures in a row; other errors at once
 */
export async function persistently<T>(
  attempt: () => Promise<T>,
  { retries, pauseMs, signal }: Patience,
  advanced: () => boolean = () => false,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (advanced()) failures = 1;
      if (failures > retries)
        throw new InputError(
          `The download failed: ${error.message}; check the connection (and HF_ENDPOINT) and try again.`,
        );
      await delay(pauseMs * 2 ** (failures - 1), undefined, { signal });
    }
  }
}
