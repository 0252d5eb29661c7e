import { Archive } from './archive';
import { openDatabase } from './database';
import { Interruptions } from './interruptions';
import { markFolder } from './marker';
import type { ArchiveStart } from './protocol';
import { Reconciliation } from './reconcile';

export interface Store {
  readonly archive: Archive;
  readonly interruptions: Interruptions;
}

/** Opens the store in a folder that `checkFolder` has let pass: its database, its rows and its files, brought together. */
export async function openStore(start: ArchiveStart): Promise<Store> {
  const { store, made } = markFolder(start.folder);
  const database = await openDatabase(start);
  try {
    const place = { folder: start.folder, store };
    const interruptions = new Interruptions(database, place, start.instance);
    const archive = new Archive(database, place, start.limit, interruptions);
    const started = Date.now() - 1000 * process.uptime();
    // The database inside a folder without a marker is that folder's, under whatever name.
    await new Reconciliation(archive, database, place, started).run(made && !start.databaseUrl);
    await interruptions.interrupt(archive);
    return { archive, interruptions };
  } catch (error) {
    await database.close().catch(() => undefined);
    throw error;
  }
}
