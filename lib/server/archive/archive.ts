import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { and, asc, desc, eq, inArray, ne, sql } from 'drizzle-orm';
import type { Analysis } from '@/lib/api/causal';
import type { KeptAnalysis, Run, RunSummary } from '@/lib/api/schemas';
import type { Body } from '../protocol';
import type { Database } from './database';
import { ANALYSIS, analysisFile, arraysFolder, runFolder } from './places';
import type { Accepted, AnalysisEntry } from './protocol';
import { analyses, runs, unfinished } from './schema';
import { readWhole, writeWhole } from './whole-file';

/** What is known of work whose server died. */
const INTERRUPTED = {
  state: 'interrupted',
  error: 'The server ended before this was finished.',
  ...{ queuePosition: 0, progress: null },
} as const;
/** Interrupted analyses that are remembered. */
const INTERRUPTED_ANALYSES = 200;

/** Finished runs and their analyses in the database, and the files of their arrays. */
export class Archive {
  constructor(
    private readonly database: Database,
    private readonly folder: string,
    private readonly limit: number,
    /** Names the server that uses it now. */
    private readonly instance: string,
  ) {}

  /** @returns the ids of runs that were removed to keep the limit. The newest run always stays. */
  async put(run: Run, bytes: number): Promise<string[]> {
    const { id, name = '', state, request, timing } = run;
    const available = bytes > 0;
    const summary: RunSummary = { id, name, state, request, timing, available, kept: true, bytes };
    const row = {
      id,
      name,
      createdAt: timing.createdAt,
      bytes,
      summary: JSON.stringify(summary),
      run: JSON.stringify({ ...run, available, progress: null, analyses: [] }),
    };
    await this.database.db.insert(runs).values(row).onConflictDoUpdate({ target: runs.id, set: row });
    await this.settle(id);
    return this.#trim();
  }

  /** Writes down what is to be computed, until `put`, `putAnalysis` or `settle` says that it has ended. */
  async accept({ kind, record }: Accepted): Promise<null> {
    const row = { id: record.id, kind, owner: this.instance, since: Date.now(), record: JSON.stringify(record) };
    await this.database.db.insert(unfinished).values(row).onConflictDoUpdate({ target: unfinished.id, set: row });
    return null;
  }

  async settle(id: string): Promise<null> {
    await this.database.db.delete(unfinished).where(eq(unfinished.id, id));
    return null;
  }

  /** Says of the work that other servers have left unfinished that it was interrupted. */
  async interrupt(): Promise<void> {
    const { db } = this.database;
    const left = await db
      .select()
      .from(unfinished)
      .where(and(ne(unfinished.owner, this.instance), ne(unfinished.owner, '')))
      .orderBy(asc(unfinished.since));
    for (const { id, kind, since, record } of left) {
      if (kind === 'run') await this.#interruptRun(JSON.parse(record) as Run, since);
      else {
        const analysis = JSON.stringify({ ...(JSON.parse(record) as Analysis), ...INTERRUPTED });
        await db.update(unfinished).set({ owner: '', record: analysis }).where(eq(unfinished.id, id));
      }
    }
    const old = db
      .select({ id: unfinished.id })
      .from(unfinished)
      .where(eq(unfinished.owner, ''))
      .orderBy(desc(unfinished.since))
      .offset(INTERRUPTED_ANALYSES);
    await db.delete(unfinished).where(inArray(unfinished.id, old));
  }

  /** @param since when it was accepted or went on: what it had kept before that stays. */
  async #interruptRun(accepted: Run, since: number): Promise<void> {
    const known = await this.get(accepted.id);
    const finishedAt = known?.run.timing.finishedAt ?? 0;
    if (known && finishedAt >= since) await this.settle(accepted.id);
    else await this.put({ ...(known?.run ?? accepted), ...INTERRUPTED }, known?.bytes ?? 0);
  }

  async list(): Promise<RunSummary[]> {
    const { id, name, bytes, summary } = runs;
    const rows = await this.database.db.select({ id, name, bytes, summary }).from(runs).orderBy(desc(runs.createdAt));
    return rows.map((row) => ({ ...(JSON.parse(row.summary) as RunSummary), name: row.name }));
  }

  async get(id: string): Promise<{ run: Run; bytes: number } | null> {
    const [row] = await this.database.db.select().from(runs).where(eq(runs.id, id));
    if (!row) return null;
    const run: Run = { ...(JSON.parse(row.run) as Run), name: row.name, analyses: await this.#analysesOf(id) };
    return { run, bytes: row.bytes };
  }

  /**
   * Adds a finished analysis to its run: its tensors first, then the row that names them.
   * @returns whether it is kept, which needs its run to be, and the ids of runs that were removed to keep the limit.
   */
  async putAnalysis(entry: AnalysisEntry): Promise<{ kept: boolean; removed: string[] }> {
    const { analysis, run, question, tensors, replaced } = entry;
    const { id, timing, request } = analysis;
    await this.#removeAnalyses(replaced);
    const [known] = await this.database.db.select({ id: runs.id }).from(runs).where(eq(runs.id, run));
    if (!known) return { kept: false, removed: [] };
    if (tensors) await writeWhole(analysisFile(this.folder, run, id), tensors);
    const row = {
      ...{ id, run, question, kind: request.kind, createdAt: timing.createdAt, bytes: tensors?.byteLength ?? 0 },
      analysis: JSON.stringify(analysis),
    };
    await this.database.db.insert(analyses).values(row).onConflictDoUpdate({ target: analyses.id, set: row });
    await this.settle(id);
    return { kept: true, removed: await this.#trim() };
  }

  async analysis(id: string): Promise<{ analysis: Analysis; tensors: Body | null } | null> {
    const [row] = await this.database.db.select().from(analyses).where(eq(analyses.id, id));
    if (!row) return this.#interrupted(id);
    const tensors = row.bytes > 0 ? await readWhole(analysisFile(this.folder, row.run, id)) : null;
    return { analysis: JSON.parse(row.analysis) as Analysis, tensors };
  }

  async rename(id: string, name: string): Promise<boolean> {
    const renamed = await this.database.db.update(runs).set({ name }).where(eq(runs.id, id)).returning({ id: runs.id });
    return renamed.length > 0;
  }

  async forget(id: string): Promise<boolean> {
    await this.settle(id);
    return (await this.#remove([id])) > 0;
  }

  /**
   * Deletes arrays that no row names, which a server that was killed may have left. Younger ones than `before`
   * (milliseconds since 1970) are about to get their row.
   */
  async removeOrphans(before: number): Promise<void> {
    const known = new Set((await this.database.db.select({ id: runs.id }).from(runs)).map(({ id }) => id));
    const rows = await this.database.db.select({ run: analyses.run, id: analyses.id }).from(analyses);
    const files = new Set(rows.map(({ run, id }) => analysisFile(this.folder, run, id)));
    const removeOld = async (path: string) => {
      const { mtimeMs } = await stat(path);
      if (mtimeMs < before) await rm(path, { recursive: true, force: true });
    };
    for (const name of await readdir(arraysFolder(this.folder)).catch(() => [])) {
      const path = runFolder(this.folder, name);
      if (!known.has(name)) await removeOld(path);
      else
        for (const file of await readdir(path))
          if (file.startsWith(ANALYSIS) && !files.has(join(path, file))) await removeOld(join(path, file));
    }
  }

  close(): Promise<void> {
    return this.database.close();
  }

  /** An analysis that a server did not finish. */
  async #interrupted(id: string): Promise<{ analysis: Analysis; tensors: null } | null> {
    const [row] = await this.database.db
      .select({ record: unfinished.record })
      .from(unfinished)
      .where(and(eq(unfinished.id, id), eq(unfinished.kind, 'analysis'), eq(unfinished.owner, '')));
    return row ? { analysis: JSON.parse(row.record) as Analysis, tensors: null } : null;
  }

  /** Oldest first. */
  #analysesOf(run: string): Promise<KeptAnalysis[]> {
    const { id, kind, question, createdAt } = analyses;
    return this.database.db
      .select({ id, kind, question, createdAt })
      .from(analyses)
      .where(eq(analyses.run, run))
      .orderBy(asc(createdAt));
  }

  async #removeAnalyses(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { id, run } = analyses;
    const rows = await this.database.db
      .delete(analyses)
      .where(inArray(id, [...ids]))
      .returning({ id, run });
    for (const row of rows) await rm(analysisFile(this.folder, row.run, row.id), { force: true });
  }

  async #trim(): Promise<string[]> {
    const answers = sql`coalesce(sum(${analyses.bytes} + length(${analyses.analysis})), 0)`;
    const weight = sql<string>`${runs.bytes} + length(${runs.run}) + ${answers}`;
    const rows = await this.database.db
      .select({ id: runs.id, weight })
      .from(runs)
      .leftJoin(analyses, eq(analyses.run, runs.id))
      .groupBy(runs.id)
      .orderBy(asc(runs.createdAt));
    let total = rows.reduce((sum, row) => sum + Number(row.weight), 0);
    const removed: string[] = [];
    for (const { id, weight: bytes } of rows.slice(0, -1)) {
      if (total <= this.limit) break;
      total -= Number(bytes);
      removed.push(id);
    }
    if (removed.length > 0) await this.#remove(removed);
    return removed;
  }

  /** Rows first: arrays without a row are removed at the next start, a row without arrays would promise too much. */
  async #remove(ids: string[]): Promise<number> {
    const rows = await this.database.db.delete(runs).where(inArray(runs.id, ids)).returning({ id: runs.id });
    for (const { id } of rows) await rm(runFolder(this.folder, id), { recursive: true, force: true });
    return rows.length;
  }
}
