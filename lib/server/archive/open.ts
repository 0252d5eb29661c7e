import { Archive } from './archive';
import { openDatabase } from './database';
import { Interruptions } from './interruptions';
import { markFolder } from './marker';
import type { ArchiveStart } from './protocol';
import { Reconciliation } from './reconcile';

export interface Store {
  readonly archive: Archive;
  readonly interruptions: Interruptions;
  readonly reconciliation: Reconciliation;
}

/** Time in which another server on the same folder may still be writing a file. */
const OTHERS_MS = 3_600_000;

/** Opens the store in a folder that `checkFolder` has let pass: its database, its rows and its files, brought together. */
export async function openStore(start: ArchiveStart): Promise<Store> {
  const { store, made } = markFolder(start.folder);
  const database = await openDatabase(start);
  try {
    const place = { folder: start.folder, store };
    const interruptions = new Interruptions(database, place, start.instance);
    const archive = new Archive(database, place, start.limit, interruptions);
    // Nobody but this server writes to an embedded store, and before it started nobody did.
    const before = Date.now() - (start.databaseUrl ? OTHERS_MS : 1000 * process.uptime());
    const reconciliation = new Reconciliation(archive, database, place, before);
    // The database inside a folder without a marker is that folder's, under whatever name.
    const whole = made && !start.databaseUrl;
    await database.instances.exclusively(store, () => reconciliation.run(whole));
    await interruptions.interrupt(archive);
    return { archive, interruptions, reconciliation };
  } catch (error) {
    await database.close().catch(() => undefined);
    throw error;
  }
}
