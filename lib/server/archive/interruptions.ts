import { and, asc, desc, eq, inArray, ne } from 'drizzle-orm';
import type { Analysis } from '@/lib/api/causal';
import type { Run } from '@/lib/api/schemas';
import type { Database } from './database';
import type { Place } from './places';
import type { Accepted } from './protocol';
import { unfinished } from './schema';
import { fromStored, isUnreadable, toStored } from './stored';

/** What is known of work whose server died. */
const INTERRUPTED = {
  state: 'interrupted',
  error: 'The server ended before this was finished.',
  queuePosition: 0,
  progress: null,
} as const;
/** Interrupted analyses that are remembered. */
const INTERRUPTED_ANALYSES = 200;

/** The archive, as far as a run that was interrupted is kept in it. */
interface Runs {
  get(id: string): Promise<{ run: Run; bytes: number } | null>;
  put(run: Run, bytes: number): Promise<string[]>;
}

/** Work that was accepted and has not ended, in the database: what a server that died leaves there was interrupted. */
export class Interruptions {
  constructor(
    private readonly database: Database,
    private readonly place: Place,
    /** Names the server that uses the store now. */
    private readonly instance: string,
  ) {}

  /** Writes down what is to be computed, until `settle` says that it has ended. */
  async accept({ kind, record }: Accepted): Promise<null> {
    const { store } = this.place;
    const text = kind === 'run' ? toStored(kind, record) : toStored(kind, record);
    const row = { store, id: record.id, kind, owner: this.instance, since: Date.now(), record: text };
    await this.database.db
      .insert(unfinished)
      .values(row)
      .onConflictDoUpdate({ target: [unfinished.store, unfinished.id], set: row });
    return null;
  }

  async settle(id: string): Promise<null> {
    await this.database.db.delete(unfinished).where(this.#own(id));
    return null;
  }

  /** Says of the work that servers which are gone have left unfinished that it was interrupted. */
  async interrupt(archive: Runs): Promise<void> {
    const { db } = this.database;
    const left = await db
      .select()
      .from(unfinished)
      .where(and(this.#own(), ne(unfinished.owner, this.instance), ne(unfinished.owner, '')))
      .orderBy(asc(unfinished.since));
    const alive = await this.database.instances.alive(left.map(({ owner }) => owner));
    for (const { id, kind, since, record, owner } of left) {
      if (alive.has(owner)) continue;
      try {
        if (kind === 'run') await this.#interruptRun(archive, id, record, since);
        else {
          const analysis = toStored('analysis', { ...fromStored('analysis', record), ...INTERRUPTED });
          await db.update(unfinished).set({ owner: '', record: analysis }).where(this.#own(id));
        }
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        console.error(`What is known of the ${kind} ${id}, which was interrupted, cannot be read: ${error.message}`);
      }
    }
    const old = db
      .select({ id: unfinished.id })
      .from(unfinished)
      .where(and(this.#own(), eq(unfinished.owner, '')))
      .orderBy(desc(unfinished.since))
      .offset(INTERRUPTED_ANALYSES);
    await db.delete(unfinished).where(and(this.#own(), inArray(unfinished.id, old)));
  }

  /** An analysis that a server did not finish. */
  async analysis(id: string): Promise<{ analysis: Analysis; tensors: null } | null> {
    const [row] = await this.database.db
      .select({ record: unfinished.record })
      .from(unfinished)
      .where(and(this.#own(id), eq(unfinished.kind, 'analysis'), eq(unfinished.owner, '')));
    return row ? { analysis: fromStored('analysis', row.record), tensors: null } : null;
  }

  /** @param since when it was accepted or went on: what it had kept before that stays. */
  async #interruptRun(archive: Runs, id: string, record: string, since: number): Promise<void> {
    const known = await archive.get(id);
    const finishedAt = known?.run.timing.finishedAt ?? 0;
    if (known && finishedAt >= since) await this.settle(id);
    else await archive.put({ ...(known?.run ?? fromStored('run', record)), ...INTERRUPTED }, known?.bytes ?? 0);
  }

  #own(id?: string) {
    return and(eq(unfinished.store, this.place.store), id === undefined ? undefined : eq(unfinished.id, id));
  }
}
