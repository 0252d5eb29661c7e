import { parentPort, workerData } from 'node:worker_threads';
import { refusalOf } from '../compute/refusal';
import type { ReaderReply, ReaderRequest, ReaderStart } from './protocol';
import { Reader } from './reader';

/** A thread that reads model folders and text. It is ended where a tokenizer does not come to an end. */

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread of the server.');

const send = (reply: ReaderReply) => port.postMessage(reply);

const { settings, folders } = workerData as ReaderStart;
const reader = new Reader(settings, folders, (model) => send({ kind: 'beginning', model }));

port.on('message', async (request: ReaderRequest) => {
  if (request.kind === 'folders') {
    reader.catalogue.folders = request.folders;
    return;
  }
  try {
    const result = await reader.answer(request.method, request.argument);
    send({ kind: 'result', result, folders: reader.catalogue.folders });
  } catch (error) {
    send({ kind: 'refusal', refusal: refusalOf(error) });
  }
});
