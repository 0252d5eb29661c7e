import type { Worker } from 'node:worker_threads';
import { ServiceError } from './errors';

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Calls to a thread that have no answer yet, each known to both sides by its number. */
export class Calls {
  #pending = new Map<number, Pending>();
  #made = 0;

  get size(): number {
    return this.#pending.size;
  }

  /** Posts the message of a new call. Resolves or rejects with what {@link resolve} or {@link reject} is told of its number. */
  ask<T>(worker: Worker, message: (call: number) => unknown): Promise<T> {
    const call = ++this.#made;
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve: resolve as Pending['resolve'], reject });
      worker.postMessage(message(call));
    });
  }

  resolve(call: number, result: unknown): void {
    this.#take(call)?.resolve(result);
  }

  reject(call: number, error: ServiceError): void {
    this.#take(call)?.reject(error);
  }

  /** Refuses every call that waits, with 503. */
  rejectAll(message: string): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new ServiceError(503, message));
  }

  #take(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    return pending;
  }
}
