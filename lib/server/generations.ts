import { randomUUID } from 'node:crypto';
import type { GeneratedToken, GenerationEvent, GenerationEvents } from '@/lib/api/generation';
import { sharedFlag } from './book';
import type { PreparedGeneration } from './protocol';
import type { Turns, Waiting } from './turns';

type Listener = (event: GenerationEvent) => void;

/** Continues one prompt to its end in the worker. */
export type Generate = (
  id: string,
  generation: PreparedGeneration,
  cancel: Int32Array,
) => Promise<'done' | 'cancelled'>;

/**
 * Texts that are being generated, each for the one who reads it: nothing of them is kept, and who stops reading
 * cancels. They wait in the same queue as runs and analyses.
 */
export class Generations {
  #running = new Map<string, { readonly listener: Listener; cancel(): void }>();

  constructor(
    private readonly generate: Generate,
    private readonly turns: Turns,
  ) {}

  /**
   * Calls `listener` with every event, the last one a final state. @returns a function that cancels.
   * @throws ServiceError 503 when too many wait.
   */
  start(generation: PreparedGeneration, listener: Listener): () => void {
    this.turns.checkRoom();
    const id = randomUUID();
    const cancel = sharedFlag();
    const tell = (data: GenerationEvents['state']) => listener({ event: 'state', data });
    const end = (state: 'done' | 'cancelled' | 'error', error?: string) => {
      if (this.#running.delete(id)) tell({ state, queuePosition: 0, error });
    };
    const job: Waiting = {
      start: async () => {
        tell({ state: 'running', queuePosition: 0 });
        await this.generate(id, generation, cancel).then(end, (error: Error) => end('error', error.message));
      },
      moved: (queuePosition) => tell({ state: 'queued', queuePosition }),
    };
    const stop = () => {
      Atomics.store(cancel, 0, 1);
      this.turns.remove(job);
    };
    this.#running.set(id, {
      listener,
      cancel: () => {
        stop();
        end('cancelled');
      },
    });
    this.turns.add(job);
    return () => {
      stop();
      this.#running.delete(id);
    };
  }

  /** Cancels all, and says so to those who read. */
  cancelAll(): void {
    for (const { cancel } of [...this.#running.values()]) cancel();
  }

  /** Passes on what the worker tells. */
  update(id: string, token: GeneratedToken): void {
    this.#running.get(id)?.listener({ event: 'token', data: token });
  }
}
