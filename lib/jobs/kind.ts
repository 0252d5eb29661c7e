import type { z } from 'zod';
import type { Bench } from './bench';

/**
 * A kind of sweep. What is asked is complete and fit for JSON: a worker on another machine needs nothing else but the models
 * and folders that it names. Items are numbered from 0; each is computed by itself and the same way wherever that is, so that the
 * results of one process and of many are equal to the last bit.
 */
export interface SweepKind<Request, Result> {
  readonly name: string;
  readonly schema: z.ZodType<Request>;
  /** How many items a request has. */
  items(request: Request): number;
  /** What an item is called, for people. */
  label(request: Request, item: number): string;
  /**
   * Computes an item. A signal stops a long one between two of its steps, with an error; begun again it goes on or starts anew.
   * @throws InputError where it cannot be computed; the sweep goes on without it.
   */
  run(request: Request, item: number, bench: Bench, signal?: AbortSignal): Promise<Result>;
  /** What the results of all items come to, fit for JSON. */
  summarise(request: Request, results: readonly Result[]): unknown;
}

/** Thrown by an item whose work is another's now: it has no result here, and none is written down. */
export class Withdrawn extends Error {
  override readonly name = 'Withdrawn';
}

/** Splits the number of an item into its places along axes of these sizes, the last axis running fastest. */
export function placesOf(item: number, sizes: readonly number[]): number[] {
  const places: number[] = [];
  let rest = item;
  for (const size of [...sizes].reverse()) {
    places.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return places;
}
