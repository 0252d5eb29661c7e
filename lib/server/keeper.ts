/** Time between two tries to write what could not be written: it doubles from the first to the last. */
const RETRY_MS = { first: 1000, last: 60_000 };

/**
 * Writes one thing to disk, as it then stands. @returns false where it must wait for another.
 * @throws Error whose message is a sentence.
 */
export type Write = () => Promise<boolean>;

/**
 * What is still to be written to disk, one thing after the other in the order in which they came. What fails stays in
 * its place and is tried again, after a while or when `wake` says that something has changed; the others go on.
 */
export class Keeper {
  /** By name; what comes again takes the place of what waits. */
  readonly #waiting = new Map<string, Write>();
  #round: Promise<void> | null = null;
  /** Whether something came, or changed, while a round was under way. */
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #delay = RETRY_MS.first;
  #trouble: string | undefined;
  #closed = false;

  /** @param ready whether a try can succeed at all; where not, `wake` is called once it can */
  constructor(private readonly ready: () => boolean = () => true) {}

  /** Names of what waits, what is being written included. */
  get names(): string[] {
    return [...this.#waiting.keys()];
  }

  /** Why the last round left something, in one sentence. */
  get trouble(): string | undefined {
    return this.#waiting.size > 0 ? this.#trouble : undefined;
  }

  add(name: string, write: Write): void {
    this.#waiting.set(name, write);
    this.wake();
  }

  has(name: string): boolean {
    return this.#waiting.has(name);
  }

  /** Gives something up. */
  drop(name: string): void {
    this.#waiting.delete(name);
  }

  /** Tries at once what waits. */
  wake(): void {
    this.#delay = RETRY_MS.first;
    this.#start();
  }

  /** Resolves when everything that waits was tried once. */
  async settled(): Promise<void> {
    while (this.#round) await this.#round;
  }

  /** Tries nothing any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #start(): void {
    if (this.#round) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    if (this.#closed || this.#waiting.size === 0 || !this.ready()) return;
    // Begun a moment later: what is written may ask for more at once.
    this.#round = Promise.resolve()
      .then(() => this.#writeAll())
      .finally(() => {
        this.#round = null;
        this.#goOn();
      });
  }

  async #writeAll(): Promise<void> {
    let trouble: string | undefined;
    for (const [name, write] of [...this.#waiting]) {
      if (this.#closed || !this.ready()) break;
      // What came again, or was given up, meanwhile is not written as it was.
      if (this.#waiting.get(name) !== write) continue;
      try {
        if ((await write()) && this.#waiting.get(name) === write) this.#waiting.delete(name);
      } catch (error) {
        trouble ??= (error as Error).message;
      }
    }
    if (this.#closed) return;
    if (trouble && trouble !== this.#trouble) console.error(trouble);
    this.#trouble = trouble;
  }

  #goOn(): void {
    if (this.#again) {
      this.#again = false;
      this.#start();
    } else if (this.#waiting.size > 0 && !this.#closed) {
      this.#timer = setTimeout(() => this.#start(), this.#delay);
      this.#timer.unref();
      this.#delay = Math.min(2 * this.#delay, RETRY_MS.last);
    }
  }
}
