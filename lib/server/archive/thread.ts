import { parentPort, workerData } from 'node:worker_threads';
import { Archive } from './archive';
import { openDatabase } from './database';
import { lockFolder } from './lock';
import type { ArchiveMethod, ArchiveMethods, ArchiveReply, ArchiveRequest, ArchiveStart } from './protocol';

/** The thread that owns the archive: the embedded database computes, and must not hold up the web server. */

const port = parentPort;
if (!port) throw new Error('This file runs as a thread of the server.');

const start = workerData as ArchiveStart;
const send = (reply: ArchiveReply) => port.postMessage(reply);

let unlock = () => undefined as void;

async function open(): Promise<Archive> {
  unlock = lockFolder(start.folder);
  try {
    const archive = new Archive(await openDatabase(start), start.folder, start.limit);
    await archive.removeOrphans(performance.timeOrigin);
    return archive;
  } catch (error) {
    unlock();
    const where = start.databaseUrl ? 'the database at DATABASE_URL' : `the database in ${start.folder}`;
    throw new Error(
      `Runs are not kept: ${where} cannot be opened (${(error as Error).message.split('\n')[0]}). ${
        start.databaseUrl ? 'Check its address and that it runs' : 'Move the folder away'
      } and start Statescope again.`,
    );
  }
}

const opened = open();
opened.then(
  () => send({ kind: 'open' }),
  (error: Error) => send({ kind: 'closed', message: error.message }),
);

type Methods = {
  [M in ArchiveMethod]: (argument: ArchiveMethods[M]['argument']) => Promise<ArchiveMethods[M]['result']>;
};

const methods: Methods = {
  open: async () => null,
  put: async ({ run, bytes }) => (await opened).put(run, bytes),
  list: async () => (await opened).list(),
  get: async (id) => (await opened).get(id),
  rename: async ({ id, name }) => (await opened).rename(id, name),
  forget: async (id) => (await opened).forget(id),
  putAnalysis: async (entry) => (await opened).putAnalysis(entry),
  analysis: async (id) => (await opened).analysis(id),
  close: async () => {
    await (await opened).close();
    unlock();
    return null;
  },
};

port.on('message', async ({ call, method, argument }: ArchiveRequest) => {
  try {
    await opened;
    send({ kind: 'result', call, result: await methods[method](argument as never) });
  } catch (error) {
    send({ kind: 'failure', call, message: (error as Error).message });
  }
});
