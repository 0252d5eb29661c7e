import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { keepsHalves, packing } from '@/kernels/ops';
import type { TextReader } from '@/lib/data/snr-examples';
import { openDevice, untilGpuIsLost } from '@/lib/engine';
import { Computer } from './compute/computer';
import { refusalOf } from './compute/refusal';
import { ServiceError } from './errors';
import type { Asked, Message, Request, Told, WorkerStart } from './protocol';
import type { ReaderMethods } from './readers/protocol';

/** The thread that owns the device: opens it, answers requests, and warms up while nobody asks for anything. */

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread of the server.');

const send = (message: Message, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

/** How far below other threads this one and those of its kernels stand: whoever only asks is answered between. */
const NICENESS = 10;

/** Milliseconds between two signs of life: several in the time in which one is due. */
const beatMs = (stepSeconds: number) => Math.min(1000, (stepSeconds * 1000) / 16);

/** Questions to a tokenizer that are not answered yet. */
class Questions {
  #asked = 0;
  #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();

  ask<M extends Asked['method']>(
    method: M,
    argument: ReaderMethods[M]['argument'],
  ): Promise<ReaderMethods[M]['result']> {
    const ask = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#pending.set(ask, { resolve: resolve as (value: unknown) => void, reject });
      send({ kind: 'ask', ask, method, argument } as Message);
    });
  }

  answer({ ask, result, refusal }: Extract<Told, { kind: 'answer' }>): void {
    const pending = this.#pending.get(ask);
    this.#pending.delete(ask);
    if (refusal) pending?.reject(new ServiceError(refusal.status, refusal.message, refusal.hint));
    else pending?.resolve(result);
  }
}

async function start(): Promise<void> {
  const { settings, folders, beat, waits } = workerData as WorkerStart;
  let calm: () => void = () => undefined;
  const quiet = new Promise<void>((resolve) => {
    calm = resolve;
  });
  if (!waits) calm();
  setInterval(() => Atomics.add(beat, 0, 1), beatMs(settings.stepSeconds));
  // On Linux this is of the calling thread, and threads take it over from the one that makes them.
  if (process.platform === 'linux') setPriority(0, NICENESS);
  const device = await openDevice();
  // Nobody handles it: it ends this thread, and the next one opens the GPU anew.
  void untilGpuIsLost();
  const questions = new Questions();
  const words = (model: string): TextReader => ({
    encodeWithin: async (text, most) => (await questions.ask('encodeWithin', { model, text, most })) ?? undefined,
    answer: (text) => questions.ask('answerTokens', { model, text }),
  });
  const computer = new Computer(settings, send, words, folders);
  port?.on('message', async (message: Request | Told) => {
    if (message.kind === 'answer') return questions.answer(message);
    if (message.kind === 'folders') {
      computer.folders = message.folders;
      return;
    }
    if (message.kind === 'quiet') return calm();
    const { call, method, argument } = message;
    try {
      const result = await computer.answer(method, argument);
      send({ kind: 'result', call, result }, result instanceof Uint8Array ? [result.buffer as ArrayBuffer] : []);
    } catch (error) {
      send({ kind: 'refusal', call, refusal: refusalOf(error) });
    }
  });
  await quiet;
  await computer.calibrate();
  send({
    kind: 'ready',
    device: { ...device, weights: settings.weights },
    keepsHalves: keepsHalves(),
    packing: packing(),
  });
  await computer.warmUp();
}

start().catch((error: Error) => send({ kind: 'unusable', message: error.message }));
