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
export function connectionError(host: string, cause: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const { code, message } = ((cause as Error)?.cause ?? cause ?? {}) as NodeJS.ErrnoException;
  return new TransientError(`the connection to ${host} failed (${code ?? message ?? 'it was closed'})`);
}

/**
 * A fetch for the hub's library: it can be given up, and tells failures that may pass from others.
 * @param onFailure told of each failure, since the library passes on only the words of one that ends a stream
 */
export function hubFetch({ signal }: Pick<Patience, 'signal'>, onFailure?: (error: unknown) => void): typeof fetch {
  const failed = (error: unknown) => {
    onFailure?.(error);
    return error;
  };
  return async (input, init) => {
    const { host } = new URL(input instanceof Request ? input.url : input);
    const response = await fetch(input, { ...init, signal }).catch((cause) => {
      throw failed(connectionError(host, cause, signal));
    });
    const { status } = response;
    const transient = status === 429 || status >= 500;
    const wantsRange = new Headers(init?.headers).has('range');
    if (!transient && !(wantsRange && status === 200)) return response;
    await response.body?.cancel();
    if (transient) throw failed(new TransientError(`${host} answered ${status}`));
    throw failed(
      new InputError(`${host} sends files only as a whole, so that no download could be resumed: check HF_ENDPOINT.`),
    );
  };
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
