import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { InputError } from '@/lib/checkpoint';
import type { Place } from '@/lib/data/mixture';
import type { Row } from '@/lib/data/source';
import { projectRoot } from '@/lib/project-root';
import type { DataDescription, Recipe, RowReader, StepRows } from './rows';

/** The methods of {@link RowReader}, called in another thread. */
export type RowRequest = {
  readonly [M in 'describe' | 'step' | 'validation']: {
    readonly id: number;
    readonly method: M;
    readonly arguments: Parameters<RowReader[M]>;
  };
}['describe' | 'step' | 'validation'];

export type RowReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string; readonly isInput: boolean };

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Steps that are read before they are asked for: one that waits, and one in the making. */
const AHEAD = 2;

/**
 * Rows from a thread of their own, which makes those of the next steps while the device computes. What it gives depends on
 * the recipe and the place alone.
 */
export class Feed {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #asked = 0;
  /** What is read ahead, in order from `#next`. */
  #ahead: Promise<StepRows>[] = [];
  #next = '';

  private constructor(recipe: Recipe) {
    const path = join(projectRoot(), 'dist', 'rows.mjs');
    if (!existsSync(path)) throw new Error(`${path} is missing: run \`npm run setup\`.`);
    this.#worker = new Worker(pathToFileURL(path), { workerData: recipe });
    this.#worker.on('message', (reply: RowReply) => this.#onReply(reply));
    this.#worker.on('error', (error) => this.#end(error));
    this.#worker.on('exit', () => this.#end(new Error('The thread that reads the data has ended.')));
  }

  /** @throws InputError where a source of the recipe cannot be opened */
  static async open(recipe: Recipe): Promise<{ feed: Feed; description: DataDescription }> {
    const feed = new Feed(recipe);
    try {
      return { feed, description: await feed.#call('describe') };
    } catch (error) {
      await feed.close();
      throw error;
    }
  }

  /** The rows of the step at a place; those that follow it are read in the meantime. */
  step(stage: number, place: Place): Promise<StepRows> {
    const key = (at: Place) => JSON.stringify([stage, at]);
    if (this.#next !== key(place)) this.#ahead = [];
    const rows = this.#ahead.shift() ?? this.#call('step', stage, place);
    let last = rows;
    for (const each of this.#ahead) last = each;
    while (this.#ahead.length < AHEAD) {
      last = last.then((before) => this.#call('step', stage, before.place));
      // A fault of a step that nobody comes to asks for nothing.
      last.catch(() => undefined);
      this.#ahead.push(last);
    }
    return rows.then((found) => {
      this.#next = key(found.place);
      return found;
    });
  }

  validation(stage: number, count: number): Promise<Row[]> {
    return this.#call('validation', stage, count);
  }

  async close(): Promise<void> {
    this.#worker.removeAllListeners('exit');
    await this.#worker.terminate();
    this.#end(new Error('The data are closed.'));
  }

  #call<M extends RowRequest['method']>(
    method: M,
    ...args: Parameters<RowReader[M]>
  ): Promise<ReturnType<RowReader[M]>> {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject });
      this.#worker.postMessage({ id, method, arguments: args });
    });
  }

  #onReply(reply: RowReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ('result' in reply) pending?.resolve(reply.result);
    else pending?.reject(reply.isInput ? new InputError(reply.error) : new Error(reply.error));
  }

  #end(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
