import { parentPort, workerData } from 'node:worker_threads';
import { InputError } from '@/lib/input-error';
import type { RowReply, RowRequest } from './feed';
import { type Recipe, RowReader } from './rows';

/** The thread that reads rows for a training run. */

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread of a training run.');

const opening = RowReader.open(workerData as Recipe);
// Whoever asks first is told.
opening.catch(() => undefined);

async function answer(request: RowRequest): Promise<unknown> {
  const reader = await opening;
  if (request.method === 'describe') return reader.describe();
  if (request.method === 'step') return reader.step(...request.arguments);
  return reader.validation(...request.arguments);
}

port.on('message', async (request: RowRequest) => {
  const send = (reply: RowReply) => port.postMessage(reply);
  try {
    send({ id: request.id, result: await answer(request) });
  } catch (error) {
    const { message } = error as Error;
    send({ id: request.id, error: message, isInput: error instanceof InputError });
  }
});
