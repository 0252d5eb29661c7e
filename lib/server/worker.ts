import { parentPort, workerData } from 'node:worker_threads';
import { openDevice } from '@/lib/engine';
import { Computer } from './compute/computer';
import { refusalOf } from './compute/refusal';
import type { Message, Request, WorkerStart } from './protocol';

/** The thread that owns the device: opens it, answers requests, and warms up while nobody asks for anything. */

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread of the server.');

const send = (message: Message, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

async function start(): Promise<void> {
  const { settings } = workerData as WorkerStart;
  const device = await openDevice();
  const computer = new Computer(settings, send);
  port?.on('message', async ({ call, method, argument }: Request) => {
    try {
      const result = await computer.answer(method, argument);
      send({ kind: 'result', call, result }, result instanceof Uint8Array ? [result.buffer as ArrayBuffer] : []);
    } catch (error) {
      send({ kind: 'refusal', call, refusal: refusalOf(error) });
    }
  });
  send({ kind: 'ready', device: { ...device, weights: settings.weights } });
  await computer.warmUp();
}

start().catch((error: Error) => send({ kind: 'unusable', message: error.message }));
