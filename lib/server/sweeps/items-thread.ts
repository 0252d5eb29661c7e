import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { Bench, itemsOn, Withdrawn } from '@/lib/jobs';
import type { ItemMessage, ItemReply } from './protocol';

/** The thread that computes the items of sweeps, on a device of its own: runs and questions of the page do not wait behind them. */

const port = parentPort;
if (!port) throw new Error('This file runs as a thread of the server.');

const send = (reply: ItemReply) => port.postMessage(reply);

/** As the thread that computes runs: below those that answer. */
const NICENESS = 10;

async function start(root: string): Promise<void> {
  if (process.platform === 'linux') setPriority(0, NICENESS);
  const items = itemsOn(await Bench.open({}, root));
  let stop = new AbortController();
  port?.on('message', async (message: ItemMessage) => {
    if ('stop' in message) return stop.abort();
    const { kind, request, item } = message.compute;
    stop = new AbortController();
    try {
      send({ kind: 'result', result: await items.compute(kind, request, item, stop.signal) });
    } catch (error) {
      send({ kind: 'failure', message: (error as Error).message, withdrawn: error instanceof Withdrawn });
    }
  });
  send({ kind: 'ready', device: items.device });
}

void start(workerData as string);
