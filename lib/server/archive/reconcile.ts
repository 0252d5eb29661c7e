import { join } from 'node:path';
import { and, eq, inArray, ne, notExists, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { Archive } from './archive';
import type { Database } from './database';
import { isDraft, isOurs, removeOwn, removeOwnFolder } from './own-files';
import { analysisFile, analysisRecordFile, arraysFolder, type Place, runFile, runFolder } from './places';
import {
  analysesIn,
  changedAt,
  filesOf,
  foldersOf,
  readAnalysisFile,
  readRunFile,
  removeHidden,
  sizeOf,
  writeAnalysisFile,
  writeRunFile,
} from './run-files';
import { analyses, runs } from './schema';
import { isUnreadable } from './stored';

/**
 * Brings a store's rows and files together when it is opened. Runs that the database does not know get their rows from
 * their files, whatever database it is: a new one, an older copy, another one. Runs of a version that kept all they are in
 * the database alone get their files. Nothing is removed but what Statescope wrote and had not finished writing or removing.
 */
export class Reconciliation {
  #adopted = 0;
  /** Runs that cannot be read, which the log has told. */
  readonly #refused = new Set<string>();
  readonly #unknown: string[] = [];

  constructor(
    private readonly archive: Archive,
    private readonly database: Database,
    private readonly place: Place,
    /** Files that are younger (milliseconds since 1970) may be about to get their row. */
    private readonly before: number,
  ) {}

  /** @param whole whether all rows of the database belong to this store, whatever they say */
  async run(whole: boolean): Promise<void> {
    const { folder } = this.place;
    const found = foldersOf(folder);
    await this.#claim(whole, found.runs);
    for (const id of found.removed) await this.#endRemoval(id);
    const rows = await this.database.db
      .select({ id: runs.id, bytes: runs.bytes })
      .from(runs)
      .where(eq(runs.store, this.place.store));
    const known = new Map(rows.map(({ id, bytes }) => [id, bytes]));
    const recorded = await this.#analyses();
    for (const id of found.runs) {
      if (!known.has(id)) await this.#guarded(id, () => this.#adopt(id));
      else {
        await this.#guarded(id, () => this.#complete(id));
        this.#removeDrafts(id);
      }
      if (known.has(id)) await this.#guarded(id, () => this.#join(id, recorded.get(id) ?? new Map()));
    }
    // A run that was too large for its arrays has no folder in a version that kept none.
    for (const [id, bytes] of known)
      if (bytes === 0 && !found.runs.includes(id)) await this.#guarded(id, () => this.#complete(id));
    this.#tell(found.strangers);
  }

  /** Takes over rows that carry no store's name. */
  async #claim(whole: boolean, ids: string[]): Promise<void> {
    const { store } = this.place;
    if (!whole && ids.length === 0) return;
    const twin = alias(runs, 'twin');
    const taken = this.database.db
      .select({ one: sql`1` })
      .from(twin)
      .where(and(eq(twin.store, store), eq(twin.id, runs.id)));
    const others = whole ? ne(runs.store, store) : and(eq(runs.store, ''), inArray(runs.id, ids));
    await this.database.db
      .update(runs)
      .set({ store })
      .where(and(others, notExists(taken)));
  }

  /** Rows for runs that were put into the folder since the store was opened. */
  async adoptNew(): Promise<void> {
    const { folder, store } = this.place;
    const rows = await this.database.db.select({ id: runs.id }).from(runs).where(eq(runs.store, store));
    const known = new Set([...rows.map(({ id }) => id), ...this.#refused]);
    for (const id of foldersOf(folder).runs)
      if (!known.has(id) && sizeOf(runFile(folder, id)) > 0) {
        this.#refused.add(id);
        await this.#guarded(id, async () => {
          await this.#adopt(id);
          this.#refused.delete(id);
        });
      }
  }

  async #endRemoval(id: string): Promise<void> {
    const { folder, store } = this.place;
    if (filesOf(folder, id).length === 0)
      await this.database.db.delete(runs).where(and(eq(runs.store, store), eq(runs.id, id)));
    removeHidden(folder, id, 'its removal was cut off');
  }

  /** A row for a run that only its files know. */
  async #adopt(id: string): Promise<void> {
    const { folder } = this.place;
    const found = readRunFile(folder, id);
    if (found) {
      await this.archive.putRow(found.run, found.bytes);
      this.#adopted++;
      await this.#join(id, new Map());
      return;
    }
    if (changedAt(folder, id) >= this.before) return;
    const files = filesOf(folder, id);
    // A write that was cut off before anything was whole.
    if (files.length > 0 && files.every((name) => isDraft(name) && isOurs(join(runFolder(folder, id), name))))
      removeOwnFolder(runFolder(folder, id), 'it was not finished');
    else {
      this.#removeDrafts(id);
      this.#unknown.push(id);
    }
  }

  /** A run whose row says more than its files. */
  async #complete(id: string): Promise<void> {
    const { folder } = this.place;
    if (sizeOf(runFile(folder, id)) > 0) return;
    const found = await this.archive.get(id);
    if (found) await writeRunFile(folder, { ...found.run, analyses: [] }, found.bytes);
  }

  /** Analyses of a run: rows for files, files for rows. */
  async #join(id: string, rows: ReadonlyMap<string, string>): Promise<void> {
    const { folder } = this.place;
    for (const analysis of analysesIn(folder, id)) {
      if (rows.has(analysis)) continue;
      const record = readAnalysisFile(folder, id, analysis);
      if (record)
        await this.archive.putAnalysisRow(
          ...([id, record.analysis, record.question, sizeOf(analysisFile(folder, id, analysis))] as const),
        );
    }
    for (const [analysis, question] of rows) {
      if (sizeOf(analysisRecordFile(folder, id, analysis)) > 0) continue;
      const found = await this.archive.analysis(analysis);
      if (found) await writeAnalysisFile(folder, id, { analysis: found.analysis, question });
    }
  }

  /** Drafts of a run that is kept, and tensors of an analysis that nothing names. */
  #removeDrafts(id: string): void {
    const { folder } = this.place;
    if (changedAt(folder, id) >= this.before) return;
    for (const name of filesOf(folder, id))
      if (isDraft(name)) removeOwn(join(runFolder(folder, id), name), 'it was not finished');
  }

  /** Questions of the analyses that have rows, by run and id. */
  async #analyses(): Promise<Map<string, Map<string, string>>> {
    const { id, run, question } = analyses;
    const found = new Map<string, Map<string, string>>();
    const rows = await this.database.db
      .select({ id, run, question })
      .from(analyses)
      .where(eq(analyses.store, this.place.store));
    for (const row of rows) found.set(row.run, (found.get(row.run) ?? new Map()).set(row.id, row.question));
    return found;
  }

  /** One run that cannot be read does not keep the others away. */
  async #guarded(id: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      console.error(`${runFolder(this.place.folder, id)} is left as it is: ${error.message}`);
    }
  }

  #tell(strangers: readonly string[]): void {
    const where = arraysFolder(this.place.folder);
    if (this.#adopted > 0)
      console.info(`${counted(this.#adopted, 'run')} in ${where} that the database did not know: listed again.`);
    const left = [...strangers, ...this.#unknown];
    if (left.length > 0)
      console.info(`${where} holds ${counted(left.length, 'thing')} that Statescope does not know: left alone.`);
  }
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
