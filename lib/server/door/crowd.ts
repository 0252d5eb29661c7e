import type { IncomingMessage, ServerResponse } from 'node:http';
import { NO_ROOM } from '../turns';
import { type Asked, pathOf, type Refusal } from './rules';

/** Whether a request would wait in the queue of what computes. */
export const asksForWork = (asked: Asked): boolean =>
  asked.method === 'POST' && ['/api/runs', '/api/analyses'].includes(pathOf(asked));

/**
 * Lets no more requests for work in at a time than can find a place in the queue: finding that out inside costs each of
 * them, and all that come after it, milliseconds.
 */
export class Crowd {
  #inside = 0;

  /** @param room how many would be accepted now */
  constructor(private readonly room: () => number) {}

  /**
   * @returns a refusal where there is no place left for the request; otherwise it counts until it is answered. One whose
   * body is still to come does not count: it may never come.
   */
  enter({ complete }: IncomingMessage, response: ServerResponse): Refusal | null {
    if (!complete) return null;
    if (this.#inside >= this.room()) return NO_ROOM;
    this.#inside++;
    response.once('close', () => {
      this.#inside--;
    });
    return null;
  }
}
