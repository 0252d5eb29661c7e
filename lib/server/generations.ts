import { randomUUID } from 'node:crypto';
import type { GenerationEvent, GenerationEvents } from '@/lib/api/generation';
import { sharedFlag } from './book';
import type { ChosenToken, PreparedGeneration } from './prepared';
import type { Spelled, Unspelled } from './readers/protocol';
import type { Turns, Waiting } from './turns';

type Listener = (event: GenerationEvent) => void;

/** Continues one prompt to its end in the worker. */
export type Generate = (
  id: string,
  generation: PreparedGeneration,
  cancel: Int32Array,
) => Promise<'done' | 'cancelled'>;

/** Writes a token in words. */
export type Spell = (model: string, unspelled: Unspelled) => Promise<Spelled>;

interface Running {
  readonly listener: Listener;
  readonly model: string;
  /** The token before those that were added, and these. */
  readonly before: number[];
  text?: string;
  /** Tokens are told in order, each once it is spelled. */
  told: Promise<void>;
  cancel(): void;
  fail(error: Error): void;
}

/**
 * Texts that are being generated, each for the one who reads it: nothing of them is kept, and who stops reading
 * cancels. They wait in the same queue as runs and analyses.
 */
export class Generations {
  #running = new Map<string, Running>();

  constructor(
    private readonly generate: Generate,
    private readonly spell: Spell,
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
        tell({ state: 'running', queuePosition: 0, tokenizer: generation.tokenizer });
        try {
          const state = await this.generate(id, generation, cancel);
          await this.#running.get(id)?.told;
          end(state);
        } catch (error) {
          end('error', (error as Error).message);
        }
      },
      moved: (queuePosition) => tell({ state: 'queued', queuePosition }),
    };
    const stop = () => {
      Atomics.store(cancel, 0, 1);
      this.turns.remove(job);
    };
    this.#running.set(id, {
      listener,
      model: generation.model,
      before: generation.tokens.slice(-1),
      told: Promise.resolve(),
      cancel: () => {
        stop();
        end('cancelled');
      },
      fail: (error) => {
        stop();
        end('error', error.message);
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

  /** Passes on what the worker tells, in words. */
  update(id: string, token: ChosenToken): void {
    const running = this.#running.get(id);
    if (!running) return;
    const before = [...running.before];
    running.before.push(token.id);
    running.told = running.told.then(async () => {
      if (!this.#running.has(id)) return;
      try {
        const spelled = await this.spell(running.model, { token, before, text: running.text });
        running.text = spelled.text;
        if (this.#running.has(id)) running.listener({ event: 'token', data: spelled.token });
      } catch (error) {
        running.fail(error as Error);
      }
    });
  }
}
