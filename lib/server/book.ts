import type { Device, RunStateName } from '@/lib/api/schemas';
import { ServiceError } from './errors';
import type { Turns, Waiting } from './turns';

/** What runs and analyses have in common, as the outside sees them. */
interface Recorded {
  readonly id: string;
  state: RunStateName;
  queuePosition: number;
  device: Device | null;
  readonly timing: { createdAt: number; startedAt: number | null; finishedAt: number | null };
  error?: string;
}

type Listener<E> = (event: E) => void;

/** One record with what the outside does not see of it; `Own` is what a kind of record adds. */
export type Entry<R, E, Own> = Waiting &
  Own & {
    readonly record: R;
    /** One shared integer; ≠ 0 asks the worker to stop. */
    cancel: Int32Array;
    readonly listeners: Set<Listener<E>>;
  };

/** What a book asks of those who write its ended records to disk. */
export interface Keeping {
  /** Whether a record is still to be written. */
  waits(id: string): boolean;
  /** Called when one that waits had to make room. */
  givenUp(id: string): void;
}

export const isFinal = ({ state }: { readonly state: RunStateName }): boolean =>
  state === 'done' || state === 'cancelled' || state === 'error' || state === 'interrupted';

/** A flag that another thread sees. */
export const sharedFlag = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));

/** Records of work that waits for its turn, computes, and ends; with those who listen to it. */
export abstract class Book<R extends Recorded, E, Own extends object> {
  protected readonly entries = new Map<string, Entry<R, E, Own>>();

  constructor(
    private readonly what: 'run' | 'analysis',
    /** Ended records that stay. */
    private readonly limit: number,
    protected readonly device: () => Device | null,
    /** Shared with whatever else computes on the device. */
    protected readonly turns: Turns,
    private readonly keeping: Keeping,
  ) {}

  /** The event that tells a whole record. */
  protected abstract whole(record: R): E;
  /** The event that tells how a record stands. */
  protected abstract changed(record: R): E;
  /** Called when its turn has come; settles when it has ended. */
  protected abstract compute(entry: Entry<R, E, Own>): Promise<'done' | 'cancelled'>;

  has(id: string): boolean {
    return this.entries.has(id);
  }

  /** @throws ServiceError 404. */
  get(id: string): R {
    return this.entry(id).record;
  }

  /** Cancels what waits at once and what computes before its next step; what has ended stays as it is. */
  cancel(id: string): R {
    const entry = this.entry(id);
    Atomics.store(entry.cancel, 0, 1);
    if (entry.record.state === 'queued') {
      this.#end(entry, 'cancelled');
      this.turns.remove(entry);
    }
    return entry.record;
  }

  /** Cancels everything that has not ended. */
  cancelAll(): void {
    for (const { record } of [...this.entries.values()]) if (!isFinal(record)) this.cancel(record.id);
  }

  /** Calls `listener` with the whole record, then with every event. @returns a function that ends it. */
  subscribe(id: string, listener: Listener<E>): () => void {
    const { record, listeners } = this.entry(id);
    listener(this.whole(record));
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** @throws ServiceError 404. */
  protected entry(id: string): Entry<R, E, Own> {
    const entry = this.entries.get(id);
    if (entry) return entry;
    throw new ServiceError(
      404,
      `There is no ${this.what} ${id}.`,
      'It was removed, or this server never had it: start a new one.',
    );
  }

  protected emit({ listeners }: Entry<R, E, Own>, event: E): void {
    for (const listener of [...listeners]) listener(event);
  }

  /** Writes a record into the book, and takes ended ones out that are too many. It does not wait yet. */
  protected enter(record: R, cancel: Int32Array, own: Own): Entry<R, E, Own> {
    const entry: Entry<R, E, Own> = {
      ...own,
      record,
      cancel,
      listeners: new Set<Listener<E>>(),
      start: () => this.#start(entry),
      moved: (position) => {
        record.queuePosition = position;
        this.emit(entry, this.whole(record));
      },
    };
    this.entries.set(record.id, entry);
    this.#forgetOldest(record.id);
    return entry;
  }

  /** Called when a record has ended, before anybody is told. */
  protected failed(_record: R, _error: Error): void {}
  /** Called when a record has ended and everybody was told. */
  protected ended(_record: R): void {}
  /** Called when an ended record had to make room for newer ones. */
  protected dropped(_entry: Entry<R, E, Own>): void {}

  async #start(entry: Entry<R, E, Own>): Promise<void> {
    const { record } = entry;
    record.state = 'running';
    record.queuePosition = 0;
    record.device = this.device() ?? record.device;
    const { startedAt, finishedAt } = record.timing;
    record.timing.startedAt = Date.now() - (startedAt !== null && finishedAt !== null ? finishedAt - startedAt : 0);
    record.timing.finishedAt = null;
    this.emit(entry, this.changed(record));
    await this.compute(entry).then(
      (state) => this.#end(entry, state),
      (error: Error) => {
        this.failed(record, error);
        this.#end(entry, 'error', error.message);
      },
    );
  }

  #end(entry: Entry<R, E, Own>, state: 'done' | 'cancelled' | 'error', error?: string): void {
    const { record } = entry;
    record.state = state;
    record.error = error;
    record.queuePosition = 0;
    record.device = this.device() ?? record.device;
    record.timing.finishedAt = Date.now();
    this.emit(entry, this.changed(record));
    this.ended(record);
  }

  /**
   * Keeps the number of ended records within the limit, whatever happens to `spared`: first those go that are on disk or
   * need not be, then, so that memory stays bounded, the oldest that wait to be kept.
   */
  #forgetOldest(spared: string): void {
    const ended = [...this.entries.values()].filter(({ record }) => isFinal(record) && record.id !== spared);
    const waits = ({ record }: Entry<R, E, Own>) => this.keeping.waits(record.id);
    const order = [...ended.filter((entry) => !waits(entry)), ...ended.filter(waits)];
    for (const entry of order.slice(0, Math.max(0, ended.length - this.limit))) {
      this.entries.delete(entry.record.id);
      if (waits(entry)) this.keeping.givenUp(entry.record.id);
      this.dropped(entry);
    }
  }
}
