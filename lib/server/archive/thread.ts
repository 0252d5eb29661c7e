import { parentPort, workerData } from 'node:worker_threads';
import { ServiceError } from '../errors';
import type { Archive } from './archive';
import { causeOf } from './cause';
import { checkUnlocked, type Lock, lockFolder } from './lock';
import { checkFolder } from './marker';
import { openStore, type Store } from './open';
import type { ArchiveMethod, ArchiveMethods, ArchiveReply, ArchiveRequest, ArchiveStart } from './protocol';

/** The thread that owns the archive: the embedded database computes, and must not hold up the web server. */

const port = parentPort;
if (!port) throw new Error('This file runs as a thread of the server.');

const start = workerData as ArchiveStart;
const send = (reply: ArchiveReply) => port.postMessage(reply);

const WHERE = start.databaseUrl ? 'the database at DATABASE_URL' : `the database in ${start.folder}`;

/** Time that a database gets to close; one that hangs does not keep the folder. */
const CLOSE_MS = 500;

/** Held from the first opening on, also while the database is away: arrays are written all the time. */
let lock: Lock | null = null;

function giveBack(): void {
  lock?.release();
  lock = null;
}

class Closed extends Error {
  constructor(
    message: string,
    readonly again: boolean,
  ) {
    super(message);
  }
}

async function open(): Promise<Store> {
  try {
    checkFolder(start.folder);
    if (start.databaseUrl) checkUnlocked(start.folder);
    else lock ??= await lockFolder(start.folder, standDown);
  } catch (error) {
    const message = isOfSystem(error) ? `Runs are not kept: ${causeOf(error).words}.` : (error as Error).message;
    throw new Closed(message, true);
  }
  try {
    return await openStore(start);
  } catch (error) {
    const { words, lost } = causeOf(error);
    const refused = `Runs are not kept: ${WHERE} cannot be opened (${words}).`;
    if (start.databaseUrl) throw new Closed(`${refused} Check its address and that it runs; it is tried again.`, true);
    if (!lost && isOfSystem(error)) throw new Closed(`${refused} It is tried again.`, true);
    giveBack();
    throw new Closed(`${refused} Move ${start.folder} (the whole folder) away and start Statescope again.`, false);
  }
}

const isOfSystem = (error: unknown) => typeof (error as NodeJS.ErrnoException).syscall === 'string';

let archive: Promise<Store> | null = null;

/** The archive; its opening is told. */
function opened(): Promise<Store> {
  archive ??= open().then(
    (open) => {
      send({ kind: 'open' });
      return open;
    },
    (error: Closed) => {
      send({ kind: 'closed', message: error.message, again: error.again });
      throw error;
    },
  );
  return archive;
}

/**
 * Another server has the folder now. The database is left as it is: to close it would write to files that are no longer
 * this server's.
 */
function standDown(error: Error): void {
  if (lock === null) return;
  lock = null;
  archive = null;
  send({ kind: 'closed', message: error.message, again: true });
}

/** Gives up a database whose connection is gone, so that the next `open` makes another. */
async function lose(lost: Store, words: string): Promise<void> {
  const current = await archive?.catch(() => null);
  if (current !== lost) return;
  archive = null;
  send({ kind: 'closed', message: `${capital(WHERE)} is not there: ${words}. It is tried again.`, again: true });
  await closeSoon(lost.archive);
}

const capital = (text: string) => text[0].toUpperCase() + text.slice(1);

/** Closes a database, unless that hangs. */
async function closeSoon(archive: Archive): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  await Promise.race([archive.close().catch(() => undefined), late]);
  clearTimeout(timer);
}

type Methods = {
  [M in ArchiveMethod]: (store: Store, argument: ArchiveMethods[M]['argument']) => Promise<ArchiveMethods[M]['result']>;
};

const methods: Methods = {
  open: async () => null,
  put: ({ archive }, { run, bytes }) => archive.put(run, bytes),
  accept: ({ interruptions }, work) => interruptions.accept(work),
  settle: ({ interruptions }, id) => interruptions.settle(id),
  // A run may have been put into the folder by hand, or by `statescope import`.
  list: async ({ archive, reconciliation }) => {
    await reconciliation.adoptNew();
    return archive.list();
  },
  get: async ({ archive, reconciliation }, id) => {
    const found = await archive.get(id);
    if (found) return found;
    await reconciliation.adoptNew();
    return archive.get(id);
  },
  rename: ({ archive }, { id, name }) => archive.rename(id, name),
  forget: ({ archive }, id) => archive.forget(id),
  putAnalysis: ({ archive }, entry) => archive.putAnalysis(entry),
  analysis: ({ archive }, id) => archive.analysis(id),
  close: async ({ archive }) => {
    await closeSoon(archive);
    giveBack();
    return null;
  },
};

async function answer({ call, method, argument }: ArchiveRequest): Promise<void> {
  const before = archive;
  const failed =
    before !== null &&
    (await before.then(
      () => false,
      () => true,
    ));
  if (method === 'open' && failed && archive === before) archive = null;
  if (method === 'close' && (failed || archive === null)) {
    giveBack();
    send({ kind: 'result', call, result: null });
    return;
  }
  let open: Store;
  try {
    open = await opened();
  } catch (error) {
    send({ kind: 'failure', call, message: (error as Error).message });
    return;
  }
  try {
    lock?.check();
  } catch (error) {
    standDown(error as Error);
    send({ kind: 'failure', call, message: (error as Error).message });
    return;
  }
  try {
    send({ kind: 'result', call, result: await methods[method](open, argument as never) });
  } catch (error) {
    if (error instanceof ServiceError) {
      send({ kind: 'failure', call, message: error.message, status: error.status });
      return;
    }
    const { words, lost } = causeOf(error);
    if (lost) await lose(open, words);
    send({ kind: 'failure', call, message: `The archive of runs failed: ${words}.` });
  }
}

port.on('message', answer);
void opened().catch(() => undefined);
