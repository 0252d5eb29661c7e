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
  #listeners = new Map<string, Listener>();

  constructor(
    private readonly generate: Generate,
    private readonly turns: Turns,
  ) {}

  /** Calls `listener` with every event, the last one a final state. @returns a function that cancels. */
  start(generation: PreparedGeneration, listener: Listener): () => void {
    const id = randomUUID();
    const cancel = sharedFlag();
    const tell = (data: GenerationEvents['state']) => listener({ event: 'state', data });
    const end = (state: 'done' | 'cancelled' | 'error', error?: string) => {
      if (this.#listeners.delete(id)) tell({ state, queuePosition: 0, error });
    };
    const job: Waiting = {
      start: async () => {
        tell({ state: 'running', queuePosition: 0 });
        await this.generate(id, generation, cancel).then(end, (error: Error) => end('error', error.message));
      },
      moved: (queuePosition) => tell({ state: 'queued', queuePosition }),
    };
    this.#listeners.set(id, listener);
    this.turns.add(job);
    return () => {
      Atomics.store(cancel, 0, 1);
      this.turns.remove(job);
      this.#listeners.delete(id);
    };
  }

  /** Passes on what the worker tells. */
  update(id: string, token: GeneratedToken): void {
    this.#listeners.get(id)?.({ event: 'token', data: token });
  }
}
