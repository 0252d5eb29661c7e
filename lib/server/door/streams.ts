import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Asked, pathOf, type Refusal } from './rules';

const PER_SERVER = 256;
const PER_CLIENT = 64;

const isStream = (asked: Asked): boolean => {
  const path = pathOf(asked);
  return path === '/api/generate' || path.endsWith('/events');
};

/** Counts the event streams that are open: each holds its connection for as long as its reader likes. */
export class Streams {
  #open = new Map<string, number>();
  #total = 0;

  /** @param trustProxy the last address in `X-Forwarded-For` is the client: the one that the proxy itself saw */
  constructor(private readonly trustProxy: boolean) {}

  /** @returns a refusal when too many are open; otherwise the stream counts until its response is closed. */
  enter(asked: Asked, response: ServerResponse): Refusal | null {
    if (!isStream(asked)) return null;
    const client = this.#clientOf(response.req);
    const open = this.#open.get(client) ?? 0;
    if (open >= PER_CLIENT)
      return { status: 429, message: `${open} event streams are open from here already.`, hint: 'Close some pages.' };
    if (this.#total >= PER_SERVER)
      return { status: 503, message: `${this.#total} event streams are open already.`, hint: 'Try again later.' };
    this.#count(client, 1);
    response.once('close', () => this.#count(client, -1));
    return null;
  }

  #count(client: string, step: 1 | -1): void {
    const open = (this.#open.get(client) ?? 0) + step;
    this.#total += step;
    if (open > 0) this.#open.set(client, open);
    else this.#open.delete(client);
  }

  #clientOf({ headers, socket }: IncomingMessage): string {
    const forwarded = this.trustProxy ? [headers['x-forwarded-for']].flat().join(',').split(',').at(-1)?.trim() : '';
    return forwarded || (socket.remoteAddress ?? '');
  }
}
