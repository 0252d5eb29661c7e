import { readdir, rm, stat } from 'node:fs/promises';
import { asc, desc, eq, inArray, sql } from 'drizzle-orm';
import type { Run, RunSummary } from '@/lib/api/schemas';
import type { Database } from './database';
import { arraysFolder, runFolder } from './places';
import { runs } from './schema';

/** Finished runs in the database, and the files of their arrays. */
export class Archive {
  constructor(
    private readonly database: Database,
    private readonly folder: string,
    private readonly limit: number,
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
      run: JSON.stringify({ ...run, available, progress: null }),
    };
    await this.database.db.insert(runs).values(row).onConflictDoUpdate({ target: runs.id, set: row });
    return this.#trim();
  }

  async list(): Promise<RunSummary[]> {
    const { id, name, bytes, summary } = runs;
    const rows = await this.database.db.select({ id, name, bytes, summary }).from(runs).orderBy(desc(runs.createdAt));
    return rows.map((row) => ({ ...(JSON.parse(row.summary) as RunSummary), name: row.name }));
  }

  async get(id: string): Promise<{ run: Run; bytes: number } | null> {
    const [row] = await this.database.db.select().from(runs).where(eq(runs.id, id));
    return row ? { run: { ...(JSON.parse(row.run) as Run), name: row.name }, bytes: row.bytes } : null;
  }

  async rename(id: string, name: string): Promise<boolean> {
    const renamed = await this.database.db.update(runs).set({ name }).where(eq(runs.id, id)).returning({ id: runs.id });
    return renamed.length > 0;
  }

  async forget(id: string): Promise<boolean> {
    return (await this.#remove([id])) > 0;
  }

  /**
   * Deletes arrays that no row names, which a server that was killed may have left. Younger ones than `before`
   * (milliseconds since 1970) are about to get their row.
   */
  async removeOrphans(before: number): Promise<void> {
    const known = new Set((await this.database.db.select({ id: runs.id }).from(runs)).map(({ id }) => id));
    for (const name of await readdir(arraysFolder(this.folder)).catch(() => [])) {
      if (known.has(name)) continue;
      const path = runFolder(this.folder, name);
      const { mtimeMs } = await stat(path);
      if (mtimeMs < before) await rm(path, { recursive: true, force: true });
    }
  }

  close(): Promise<void> {
    return this.database.close();
  }

  async #trim(): Promise<string[]> {
    const weight = sql<string>`${runs.bytes} + length(${runs.run})`;
    const rows = await this.database.db.select({ id: runs.id, weight }).from(runs).orderBy(asc(runs.createdAt));
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
