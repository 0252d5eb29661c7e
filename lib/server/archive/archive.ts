import { and, asc, desc, eq, inArray, sql } from 'drizzle-orm';
import type { Analysis } from '@/lib/api/causal';
import type { KeptAnalysis, Run, RunSummary } from '@/lib/api/schemas';
import { ServiceError } from '../errors';
import type { Body } from '../protocol';
import type { Database } from './database';
import type { Interruptions } from './interruptions';
import { removeOwn } from './own-files';
import { analysisFile, analysisRecordFile, type Place } from './places';
import type { AnalysisEntry } from './protocol';
import { hasArrays, hide, removeHidden, writeAnalysisFile, writeRunFile } from './run-files';
import { analyses, runs } from './schema';
import { fromStored, toStored, UnreadableError } from './stored';
import { readWhole, writeWhole } from './whole-file';

/** The row of a run. */
function rowOf(store: string, run: Run, bytes: number) {
  const { id, name = '', state, request, timing } = run;
  const available = bytes > 0;
  const summary: RunSummary = { id, name, state, request, timing, available, kept: true, bytes };
  return {
    store,
    id,
    name,
    createdAt: timing.createdAt,
    bytes,
    summary: toStored('summary', summary),
    run: toStored('run', run),
  };
}

/** Finished runs and their analyses in the database, and the files of their arrays. */
export class Archive {
  constructor(
    private readonly database: Database,
    private readonly place: Place,
    private readonly limit: number,
    private readonly interruptions: Interruptions,
  ) {}

  /**
   * The file that says what the run is comes before its row, so that a row can be made again.
   * @returns the ids of runs that were removed to keep the limit. The newest run always stays.
   */
  async put(run: Run, bytes: number): Promise<string[]> {
    const kept: Run = { ...run, available: bytes > 0, progress: null, analyses: [] };
    await writeRunFile(this.place.folder, kept, bytes);
    await this.putRow(kept, bytes);
    await this.interruptions.settle(run.id);
    return this.#trim();
  }

  /** Writes the row of a run whose files are there. */
  async putRow(run: Run, bytes: number): Promise<void> {
    const row = rowOf(this.place.store, run, bytes);
    await this.database.db
      .insert(runs)
      .values(row)
      .onConflictDoUpdate({ target: [runs.store, runs.id], set: row });
  }

  /** Newest first. Those that cannot be read are left out, and the log says why. */
  async list(): Promise<RunSummary[]> {
    const { id, name, bytes, summary } = runs;
    const rows = await this.database.db
      .select({ id, name, bytes, summary })
      .from(runs)
      .where(this.#own())
      .orderBy(desc(runs.createdAt));
    return rows.flatMap((row) => {
      try {
        return { ...fromStored('summary', row.summary), name: row.name };
      } catch (error) {
        console.error(unreadable(`run ${row.id}`, error).message);
        return [];
      }
    });
  }

  /** @throws ServiceError 409 where what is kept of it cannot be read. */
  async get(id: string): Promise<{ run: Run; bytes: number } | null> {
    const [row] = await this.database.db.select().from(runs).where(this.#own(id));
    if (!row) return null;
    const stored = await readable(`run ${id}`, () => fromStored('run', row.run));
    // The arrays may be gone, by hand or with another database of the same folder.
    const bytes = row.bytes > 0 && hasArrays(this.place.folder, id) ? row.bytes : 0;
    const run: Run = { ...stored, name: row.name, available: bytes > 0, analyses: await this.#analysesOf(id) };
    return { run, bytes };
  }

  /**
   * Adds a finished analysis to its run: its files first, then the row that names them.
   * @returns whether it is kept, which needs its run to be, and the ids of runs that were removed to keep the limit.
   */
  async putAnalysis(entry: AnalysisEntry): Promise<{ kept: boolean; removed: string[] }> {
    const { analysis, run, question, tensors, replaced } = entry;
    const { folder } = this.place;
    await this.#removeAnalyses(replaced);
    const [known] = await this.database.db.select({ id: runs.id }).from(runs).where(this.#own(run));
    if (!known) return { kept: false, removed: [] };
    if (tensors) await writeWhole(analysisFile(folder, run, analysis.id), tensors);
    await writeAnalysisFile(folder, run, { analysis, question });
    await this.putAnalysisRow(run, analysis, question, tensors?.byteLength ?? 0);
    await this.interruptions.settle(analysis.id);
    return { kept: true, removed: await this.#trim() };
  }

  /** Writes the row of an analysis whose files are there. */
  async putAnalysisRow(run: string, analysis: Analysis, question: string, bytes: number): Promise<void> {
    const { id, timing, request } = analysis;
    const { store } = this.place;
    const row = {
      store,
      id,
      run,
      question,
      kind: request.kind,
      createdAt: timing.createdAt,
      bytes,
      analysis: toStored('analysis', analysis),
    };
    await this.database.db
      .insert(analyses)
      .values(row)
      .onConflictDoUpdate({ target: [analyses.store, analyses.id], set: row });
  }

  /** @throws ServiceError 409 where what is kept of it cannot be read. */
  async analysis(id: string): Promise<{ analysis: Analysis; tensors: Body | null } | null> {
    const [row] = await this.database.db.select().from(analyses).where(this.#ownAnalyses(id));
    if (!row) return readable(`analysis ${id}`, () => this.interruptions.analysis(id));
    const analysis = await readable(`analysis ${id}`, () => fromStored('analysis', row.analysis));
    const tensors = row.bytes > 0 ? await readWhole(analysisFile(this.place.folder, row.run, id)) : null;
    return { analysis, tensors };
  }

  async rename(id: string, name: string): Promise<boolean> {
    const [row] = await this.database.db.update(runs).set({ name }).where(this.#own(id)).returning();
    if (!row) return false;
    const run = await readable(`run ${id}`, () => fromStored('run', row.run));
    await writeRunFile(this.place.folder, { ...run, name }, row.bytes);
    return true;
  }

  async forget(id: string): Promise<boolean> {
    await this.interruptions.settle(id);
    return (await this.#remove([id], 'the run was removed')) > 0;
  }

  close(): Promise<void> {
    return this.database.close();
  }

  /** Rows of this store. */
  #own(id?: string) {
    return and(eq(runs.store, this.place.store), id === undefined ? undefined : eq(runs.id, id));
  }

  #ownAnalyses(id?: string) {
    return and(eq(analyses.store, this.place.store), id === undefined ? undefined : eq(analyses.id, id));
  }

  /** Oldest first. */
  #analysesOf(run: string): Promise<KeptAnalysis[]> {
    const { id, kind, question, createdAt } = analyses;
    return this.database.db
      .select({ id, kind, question, createdAt })
      .from(analyses)
      .where(and(this.#ownAnalyses(), eq(analyses.run, run)))
      .orderBy(asc(createdAt));
  }

  /** Records first: tensors without one are nothing that could come back. */
  async #removeAnalyses(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { id, run } = analyses;
    const rows = await this.database.db
      .delete(analyses)
      .where(and(this.#ownAnalyses(), inArray(id, [...ids])))
      .returning({ id, run });
    for (const row of rows)
      for (const place of [analysisRecordFile, analysisFile])
        removeOwn(place(this.place.folder, row.run, row.id), 'a newer answer has taken its place');
  }

  /** Where several servers share the store, one of them does it for all. */
  async #trim(): Promise<string[]> {
    const { instances } = this.database;
    return (await instances.exclusively(this.place.store, () => this.#removeOldest())) ?? [];
  }

  async #removeOldest(): Promise<string[]> {
    const answers = sql`coalesce(sum(${analyses.bytes} + length(${analyses.analysis})), 0)`;
    const weight = sql<string>`${runs.bytes} + length(${runs.run}) + ${answers}`;
    const rows = await this.database.db
      .select({ id: runs.id, weight })
      .from(runs)
      .leftJoin(analyses, and(eq(analyses.store, runs.store), eq(analyses.run, runs.id)))
      .where(this.#own())
      .groupBy(runs.store, runs.id)
      .orderBy(asc(runs.createdAt));
    let total = rows.reduce((sum, row) => sum + Number(row.weight), 0);
    const removed: string[] = [];
    for (const { id, weight: bytes } of rows.slice(0, -1)) {
      if (total <= this.limit) break;
      total -= Number(bytes);
      removed.push(id);
    }
    if (removed.length > 0) await this.#remove(removed, 'the limit STATESCOPE_DATA_MB was reached');
    return removed;
  }

  /** Files lose their name, then the rows go, then the files: whatever cuts that off, the next start ends it. */
  async #remove(ids: string[], why: string): Promise<number> {
    const { folder } = this.place;
    const own = and(this.#own(), inArray(runs.id, ids));
    const known = await this.database.db.select({ id: runs.id }).from(runs).where(own);
    for (const { id } of known) hide(folder, id);
    await this.database.db.delete(runs).where(own);
    for (const { id } of known) removeHidden(folder, id, why);
    return known.length;
  }
}

const unreadable = (what: string, error: unknown): Error =>
  error instanceof UnreadableError
    ? new ServiceError(409, `What is kept of ${what} cannot be read: ${error.message}.`, 'Run the prompt again.')
    : (error as Error);

async function readable<T>(what: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw unreadable(what, error);
  }
}
