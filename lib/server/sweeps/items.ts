import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Items, Withdrawn } from '@/lib/jobs';
import type { ItemCall, ItemMessage, ItemReply } from './protocol';

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * Items in a thread of their own, one at a time. A thread that ends takes its item with it, which fails with a sentence; the next
 * item begins another one.
 */
export class ItemThread implements Items {
  #worker: Worker;
  #pending: Pending | undefined;
  #lost = false;
  device: string;

  private constructor(
    readonly root: string,
    worker: Worker,
    device: string,
  ) {
    this.#worker = worker;
    this.device = device;
    this.#listen(worker);
  }

  /** @throws Error where no device opens */
  static async open(root: string): Promise<ItemThread> {
    const [worker, device] = await begin(root);
    return new ItemThread(root, worker, device);
  }

  async compute(kind: ItemCall['kind'], request: unknown, item: number, signal?: AbortSignal): Promise<unknown> {
    if (this.#lost) {
      [this.#worker, this.device] = await begin(this.root);
      this.#lost = false;
      this.#listen(this.#worker);
    }
    const stop = () => this.#send({ stop: true });
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        this.#pending = { resolve, reject };
        this.#send({ compute: { kind, request, item } });
      });
    } finally {
      this.#pending = undefined;
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Ends at once; an item that is being computed is given up. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(message: ItemMessage): void {
    this.#worker.postMessage(message);
  }

  #listen(worker: Worker): void {
    worker.on('message', (reply: ItemReply) => {
      if (reply.kind === 'result') this.#pending?.resolve(reply.result);
      else if (reply.kind === 'failure')
        this.#pending?.reject(reply.withdrawn ? new Withdrawn(reply.message) : new Error(reply.message));
    });
    // What an error says is logged by the exit that follows.
    let reason = 'it ended';
    worker.on('error', (error) => {
      reason = error.message;
    });
    worker.on('exit', () => {
      this.#lost = true;
      this.#pending?.reject(new Error(`The thread that computes sweeps was lost at this item: ${reason}.`));
    });
  }
}

const pathOf = (root: string) => join(root, 'dist', 'items.mjs');

function begin(root: string): Promise<[Worker, string]> {
  const worker = new Worker(pathOf(root), { workerData: root });
  return new Promise((resolve, reject) => {
    worker.once('message', (reply: ItemReply) => {
      if (reply.kind === 'ready') resolve([worker, reply.device]);
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The thread that computes sweeps did not start.')));
  });
}
