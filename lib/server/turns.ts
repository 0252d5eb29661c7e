import { ServiceError } from './errors';

/** Work that waits for the device. */
export interface Waiting {
  /** Called when its turn has come; the next turn comes when the promise settles. Must not reject. */
  start(): Promise<void>;
  /** Its place in the queue has changed: 1 is next. */
  moved(position: number): void;
}

/** What is said to work that finds no place. */
export const NO_ROOM = {
  status: 503,
  message: 'As many runs and analyses are waiting as may wait.',
  hint: 'Wait for them, or cancel some, and try again.',
};

/** The queue of everything that computes for long: first come, first served, one at a time. */
export class Turns {
  #waiting: { readonly job: Waiting; position: number }[] = [];
  #active = false;
  /** Places of those that are still being checked. */
  #reserved = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  /** Jobs queued or running. */
  get load(): number {
    return this.#waiting.length + (this.#active ? 1 : 0);
  }

  /** Places that no job has, also those that are reserved. Where nothing runs, the first of them does not wait. */
  get free(): number {
    return this.limit - this.#waiting.length + (this.#active ? 0 : 1);
  }

  /** @throws ServiceError 503 when too many wait, or nothing is taken any more. */
  checkRoom(): void {
    if (this.#closed)
      throw new ServiceError(503, 'Statescope is ending and takes no new work.', 'Try again once it was started anew.');
    if (this.free <= this.#reserved) throw new ServiceError(NO_ROOM.status, NO_ROOM.message, NO_ROOM.hint);
  }

  /**
   * Keeps a place free while something is prepared, then enters it: those that come meanwhile do not take the place.
   * @throws ServiceError 503 at once when too many wait.
   */
  async reserve<P, R>(prepare: () => Promise<P>, enter: (prepared: P) => R): Promise<R> {
    this.checkRoom();
    this.#reserved++;
    let prepared: P;
    try {
      prepared = await prepare();
    } finally {
      this.#reserved--;
    }
    return enter(prepared);
  }

  /** Starts the job at once when nothing runs. */
  add(job: Waiting): void {
    this.#waiting.push({ job, position: 0 });
    this.#next();
    this.#renumber();
  }

  /** Takes a job out that has not started. */
  remove(job: Waiting): void {
    this.#waiting = this.#waiting.filter((entry) => entry.job !== job);
    this.#renumber();
  }

  /** Takes no new work from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when nothing is queued or running. */
  idle(): Promise<void> {
    return this.load === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    if (this.#active) return;
    const entry = this.#waiting.shift();
    if (!entry) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#active = true;
    void entry.job.start().finally(() => {
      this.#active = false;
      this.#next();
      this.#renumber();
    });
  }

  #renumber(): void {
    for (const [i, entry] of this.#waiting.entries()) {
      if (entry.position === i + 1) continue;
      entry.position = i + 1;
      entry.job.moved(entry.position);
    }
  }
}
