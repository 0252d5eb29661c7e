import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import PgBoss from 'pg-boss';
import { InputError } from '@/lib/input-error';
import type { Bench } from './bench';
import { decode, encode } from './codec';
import { type Connection, connect, persistently, type Sql } from './connection';
import { type SweepKind, Withdrawn } from './kind';
import { KINDS, type KindName, type RequestOf, type ResultOf } from './kinds';
import { holdLeases, type Leases, ownLeases } from './leases';
import type { JobsPlace } from './place';
import { JOB_TABLE, QUEUE } from './queue';
import { UNFINISHED } from './unfinished';

export interface Sweep<K extends KindName = KindName> {
  readonly id: string;
  readonly kind: K;
  readonly request: RequestOf<K>;
  readonly items: number;
}

export interface Failure {
  readonly item: number;
  readonly label: string;
  /** One sentence. */
  readonly error: string;
}

export interface SweepStatus {
  readonly id: string;
  readonly kind: KindName;
  readonly items: number;
  /** Items with a result. */
  readonly done: number;
  /** Items that are being computed. */
  readonly active: number;
  readonly failed: readonly Failure[];
  /** When it was made, in milliseconds since 1970. */
  readonly createdAt: number;
  /** Whether somebody has cancelled it: what it has found stays, and asking for it again goes on. */
  readonly cancelled: boolean;
}

export const isComplete = ({ items, done, failed }: SweepStatus): boolean => done + failed.length === items;

export const isOver = (status: SweepStatus): boolean => status.cancelled || isComplete(status);

export const SWEEP_STATES = ['open', 'done', 'failed', 'cancelled'] as const;
export type SweepState = (typeof SWEEP_STATES)[number];

/** `failed` once every item has ended and some have failed. */
export const stateOf = (status: SweepStatus): SweepState =>
  isComplete(status) ? (status.failed.length > 0 ? 'failed' : 'done') : status.cancelled ? 'cancelled' : 'open';

/** A name that no sweep has. */
export class NoSuchSweep extends InputError {
  constructor(id: string) {
    super(`There is no sweep ${id} in this database.`);
  }
}

/** What computes items: in this thread ({@link itemsOn}), or in another one. */
export interface Items {
  /** What it computes on, for the record of who did what. */
  readonly device: string;
  /** @throws {@link Withdrawn} where its work is another's now; Error with the sentence that is the item's result */
  compute(kind: KindName, request: unknown, item: number, signal?: AbortSignal): Promise<unknown>;
}

/** Items on a device of this thread. */
export const itemsOn = (bench: Bench): Items => ({
  device: bench.device.name,
  compute: (kind, request, item, signal) => kindOf(kind).run(request, item, bench, signal),
});

/** What a worker tells of an item that it has ended. */
export interface ItemReport {
  readonly sweep: string;
  readonly kind: KindName;
  readonly item: number;
  readonly label: string;
  /** Milliseconds. */
  readonly took: number;
  readonly error?: string;
}

export interface WorkOptions {
  readonly on: Items;
  /** Ends after the current item; items that were taken and not begun are given back. */
  readonly signal?: AbortSignal;
  /** Asked whenever nothing waits, and after every take: whether to end. */
  readonly isEnough: () => Promise<boolean>;
  readonly onItem?: (report: ItemReport) => void;
}

interface Job {
  readonly sweep: string;
  readonly item: number;
}

/** An item is given to another worker when its worker has not said for so long that it lives (seconds). */
const LEASE_SECONDS = 60;

/** Workers that may die over one item before it counts as failed: it may be what kills them. */
const DEATHS = 4;

/** How often a worker asks whether the sweep of an item that takes so long is still wanted (ms). */
const WANTED_MS = 2000;

/** Items are taken in such numbers that their work lasts about so long (ms): few questions to the database, small leftovers. */
const TAKE_MS = 1000;
const LARGEST_TAKE = 32;

const POLL_MS = 300;

/** Items that wait for years are still wanted. */
const RETENTION_DAYS = 3650;

/** The seconds of STATESCOPE_LEASE_SECONDS. @throws InputError */
function leaseOfEnvironment(): number {
  const text = process.env.STATESCOPE_LEASE_SECONDS;
  if (!text) return LEASE_SECONDS;
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 2 && seconds <= 3600) return seconds;
  throw new InputError(`STATESCOPE_LEASE_SECONDS must be a whole number from 2 to 3600, not "${text}".`);
}

const WORKER = `${process.pid}@${hostname()}`;

/**
 * Sweeps as jobs of pg-boss, on the embedded database or on a PostgreSQL server. A sweep is named by what it asks: asked again, by
 * whom and whenever, it goes on where it is. Every item is a job; its result and the end of its job are one transaction, and the
 * first result of an item is the one that counts.
 */
export class JobEngine {
  readonly #connection: Connection;
  readonly #boss: PgBoss;
  readonly #place: JobsPlace;
  readonly #lease: number;
  readonly #sweeps = new Map<string, Sweep>();

  private constructor(connection: Connection, boss: PgBoss, place: JobsPlace, lease: number) {
    this.#connection = connection;
    this.#boss = boss;
    this.#place = place;
    this.#lease = lease;
  }

  /** @throws InputError where the database cannot be opened. */
  static async open(place: JobsPlace, opened?: Connection): Promise<JobEngine> {
    const lease = leaseOfEnvironment();
    const connection = opened ?? (await connect(place));
    const boss = new PgBoss({
      db: bossDb(connection),
      schedule: false,
      // Gives back the items of workers that are gone; one process at a time does it, whichever comes first.
      maintenanceIntervalSeconds: Math.max(1, Math.floor(lease / 6)),
      retentionDays: RETENTION_DAYS,
    });
    // A database that is away: whoever waits for an answer hears of it, and asks again.
    boss.on('error', () => undefined);
    try {
      // pg-boss makes its tables and queues without regard to others that do: many workers start at the same moment.
      await connection.inTurn(async () => {
        await boss.start();
        await boss.createQueue(QUEUE, { name: QUEUE, policy: 'standard', retryLimit: DEATHS, expireInSeconds: lease });
      });
      // Whoever has an embedded database to itself is the only worker: what somebody was doing before it, nobody does.
      if (!connection.shared) await connection.query(`${GIVE_BACK} WHERE name = $1 AND state = 'active'`, [QUEUE]);
    } catch (error) {
      await boss.stop({ graceful: false }).catch(() => undefined);
      await connection.close().catch(() => undefined);
      throw error;
    }
    return new JobEngine(connection, boss, place, lease);
  }

  /** Whether other processes can take part. */
  get isShared(): boolean {
    return this.#connection.shared;
  }

  /** Makes a sweep, or finds it where it was made before; its items without a result wait for workers from then on. */
  async submit<K extends KindName>(kind: K, asked: RequestOf<K>): Promise<Sweep<K>> {
    const { text, ...sweep } = named(kind, asked);
    const { id, items } = sweep;
    await persistently(() =>
      this.#connection.query(
        'INSERT INTO sweeps (id, kind, request, items, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING',
        [id, kind, text, items, Date.now()],
      ),
    );
    await persistently(() => this.#connection.query('UPDATE sweeps SET cancelled_at = NULL WHERE id = $1', [id]));
    await persistently(() => this.#enqueue(sweep));
    return sweep;
  }

  /**
   * Takes the items away that have no result. What workers have in hand, about a second's work, is ended; an item that takes
   * longer stops at its next step. What was found stays, and {@link submit} goes on from there. A sweep that is over is left as it is. @throws InputError where there is none of this name.
   */
  async cancel(id: string): Promise<void> {
    if (isOver(await this.status(id))) return;
    await persistently(() =>
      this.#connection.transaction(async (sql) => {
        await sql.query('UPDATE sweeps SET cancelled_at = $2 WHERE id = $1', [id, Date.now()]);
        await sql.query(`DELETE FROM ${JOB_TABLE} WHERE name = $1 AND data->>'sweep' = $2`, [QUEUE, id]);
      }),
    );
  }

  /** Sweeps that are neither over nor cancelled; each of their items waits again, or is somebody's. */
  async resume(): Promise<string[]> {
    const ids = (await this.#connection.query<{ id: string }>(UNFINISHED)).map(({ id }) => id);
    // Rows of jobs can be lost with a database that was not flushed; what has no result and no job gets one.
    if (ids.length > 0 && (await this.pending()) === 0) for (const id of ids) await this.#enqueue(await this.sweep(id));
    return ids;
  }

  /** A sweep as {@link submit} would make it, where it was made; undefined, and nothing changed, where it was not. */
  async find<K extends KindName>(kind: K, asked: RequestOf<K>): Promise<Sweep<K> | undefined> {
    const { text: _text, ...sweep } = named(kind, asked);
    const rows = await this.#connection.query('SELECT 1 FROM sweeps WHERE id = $1', [sweep.id]);
    return rows.length > 0 ? sweep : undefined;
  }

  /** Lets items that failed be tried again. */
  async retry(id: string): Promise<void> {
    const sweep = await this.sweep(id);
    await persistently(() =>
      this.#connection.transaction(async (sql) => {
        await sql.query('DELETE FROM sweep_results WHERE sweep = $1 AND error IS NOT NULL', [id]);
        await sql.query(`DELETE FROM ${JOB_TABLE} WHERE name = $1 AND data->>'sweep' = $2 AND state > 'active'`, [
          QUEUE,
          id,
        ]);
      }),
    );
    await persistently(() => this.#enqueue(sweep));
  }

  /** Lets items that have a result be computed again, where what they made beside it is gone. */
  async redo(id: string, items: readonly number[]): Promise<void> {
    const sweep = await this.sweep(id);
    await persistently(() =>
      this.#connection.transaction(async (sql) => {
        await sql.query('DELETE FROM sweep_results WHERE sweep = $1 AND item = ANY($2::int[])', [id, items]);
        await sql.query(`DELETE FROM ${JOB_TABLE} WHERE name = $1 AND id = ANY($2::uuid[]) AND state > 'active'`, [
          QUEUE,
          items.map((item) => jobId(id, item)),
        ]);
      }),
    );
    await persistently(() => this.#enqueue(sweep));
  }

  /** @throws InputError where there is none of this name. */
  async sweep(id: string): Promise<Sweep> {
    const known = this.#sweeps.get(id);
    if (known) return known;
    const [row] = await this.#connection.query<{ kind: KindName; request: string; items: number }>(
      'SELECT kind, request, items FROM sweeps WHERE id = $1',
      [id],
    );
    if (!row) throw new NoSuchSweep(id);
    if (!(row.kind in KINDS))
      throw new InputError(`Sweep ${id} is of kind "${row.kind}", which this version does not know.`);
    const sweep = { id, kind: row.kind, request: decode<never>(row.request), items: row.items };
    this.#sweeps.set(id, sweep);
    return sweep;
  }

  /** All sweeps, newest first. */
  async list(): Promise<SweepStatus[]> {
    const rows = await this.#connection.query<{ id: string }>('SELECT id FROM sweeps ORDER BY created_at DESC, id');
    return Promise.all(rows.map(({ id }) => this.status(id)));
  }

  async status(id: string): Promise<SweepStatus> {
    const [row] = await this.#connection.query<
      Record<'items' | 'done' | 'active' | 'created', string> & { kind: KindName; cancelled: boolean }
    >(
      `SELECT kind, items, created_at AS created, cancelled_at IS NOT NULL AS cancelled,
        (SELECT count(*) FROM sweep_results WHERE sweep = id AND error IS NULL) AS done,
        (SELECT count(*) FROM ${JOB_TABLE} WHERE name = $2 AND state = 'active' AND data->>'sweep' = sweeps.id) AS active
        FROM sweeps WHERE id = $1`,
      [id, QUEUE],
    );
    if (!row) throw new NoSuchSweep(id);
    const failed = await this.#connection.query<{ item: number; error: string | null }>(
      `SELECT item, error FROM sweep_results WHERE sweep = $1 AND error IS NOT NULL
        UNION ALL SELECT (data->>'item')::int, NULL FROM ${JOB_TABLE}
        WHERE name = $2 AND state = 'failed' AND data->>'sweep' = $1 ORDER BY item`,
      [id, QUEUE],
    );
    const { kind, request } = await this.sweep(id);
    return {
      id,
      kind,
      items: Number(row.items),
      done: Number(row.done),
      active: Number(row.active),
      failed: failed.map(({ item, error }) => ({
        item,
        label: kindOf(kind).label(request, item),
        error: error ?? `${DEATHS + 1} workers died while they had it, one after another.`,
      })),
      createdAt: Number(row.created),
      cancelled: row.cancelled,
    };
  }

  /** The results of all items, in their order. @throws InputError where some lack. */
  async results<K extends KindName>(sweep: Sweep<K>): Promise<ResultOf<K>[]> {
    const rows = await persistently(() =>
      this.#connection.query<{ result: string }>(
        'SELECT result FROM sweep_results WHERE sweep = $1 AND error IS NULL ORDER BY item',
        [sweep.id],
      ),
    );
    if (rows.length < sweep.items)
      throw new InputError(
        `Sweep ${sweep.id} is not finished: ${rows.length} of its ${sweep.items} items have a result.`,
      );
    return rows.map(({ result }) => decode(result));
  }

  /** What a finished sweep comes to. @throws InputError where items lack. */
  async summary(sweep: Sweep): Promise<unknown> {
    return kindOf(sweep.kind).summarise(sweep.request, await this.results(sweep));
  }

  /** Who did how many items of a sweep. */
  async workers(id: string): Promise<{ worker: string; items: number }[]> {
    const rows = await this.#connection.query<{ worker: string; items: string }>(
      'SELECT worker, count(*) AS items FROM sweep_results WHERE sweep = $1 GROUP BY worker ORDER BY worker',
      [id],
    );
    return rows.map(({ worker, items }) => ({ worker, items: Number(items) }));
  }

  /** Items of any sweep that wait or are being computed. */
  async pending(): Promise<number> {
    const [{ count }] = await this.#connection.query<{ count: string }>(
      `SELECT count(*) AS count FROM ${JOB_TABLE} WHERE name = $1 AND state <= 'active'`,
      [QUEUE],
    );
    return Number(count);
  }

  /** Takes items, one after another, until it is enough. A database that goes away is waited for. */
  async work({ on, signal, isEnough, onItem }: WorkOptions): Promise<void> {
    const leases = this.isShared
      ? await holdLeases(this.#place, this.#lease)
      : ownLeases(this.#connection, this.#lease);
    let perItem = TAKE_MS;
    try {
      while (!signal?.aborted) {
        const batchSize = Math.max(1, Math.min(LARGEST_TAKE, Math.round(TAKE_MS / perItem)));
        // pg-boss takes a lost connection for an empty queue.
        const jobs = await this.#boss.fetch<Job>(QUEUE, { batchSize });
        leases.hold(jobs.map(({ id }) => id));
        const started = performance.now();
        for (const [k, { id, data }] of jobs.entries()) {
          const report = await this.#do(id, data, on, leases, signal);
          if (!report) {
            await this.#giveBack(jobs.slice(k).map((job) => job.id));
            return;
          }
          onItem?.(report);
        }
        if (jobs.length > 0) perItem = (performance.now() - started) / jobs.length;
        if (await persistently(isEnough, signal)) return;
        if (jobs.length === 0) await sleep(POLL_MS);
      }
    } finally {
      await leases.end();
    }
  }

  /** Works on a sweep until it is over, as one of those who do. */
  async finish(id: string, options: Omit<WorkOptions, 'isEnough'> & { onStatus?: (status: SweepStatus) => void }) {
    const look = async () => {
      const status = await this.status(id);
      options.onStatus?.(status);
      if (isOver(status)) return true;
      // Rows of jobs can be lost with a database that was not flushed; what has no result and no job gets one.
      if (status.active === 0 && (await this.pending()) === 0) await this.#enqueue(await this.sweep(id));
      return false;
    };
    if (!(await persistently(look, options.signal))) await this.work({ ...options, isEnough: look });
    return persistently(() => this.status(id), options.signal);
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false }).catch(() => undefined);
    await this.#connection.close().catch(() => undefined);
  }

  /** Makes jobs of the items that have neither a result nor a job. */
  async #enqueue({ id, items }: Pick<Sweep, 'id' | 'items'>): Promise<void> {
    const rows = await this.#connection.query<{ item: number }>('SELECT item FROM sweep_results WHERE sweep = $1', [
      id,
    ]);
    const ended = new Set(rows.map(({ item }) => item));
    const missing = Array.from({ length: items }, (_, item) => item).filter((item) => !ended.has(item));
    for (let at = 0; at < missing.length; at += 1000)
      await this.#boss.insert(
        missing.slice(at, at + 1000).map((item) => ({
          id: jobId(id, item),
          name: QUEUE,
          data: { sweep: id, item },
          expireInSeconds: this.#lease,
        })),
      );
  }

  async #giveBack(ids: readonly string[]): Promise<void> {
    await persistently(() =>
      this.#connection.query(`${GIVE_BACK} WHERE name = $1 AND id = ANY($2::uuid[]) AND state = 'active'`, [
        QUEUE,
        ids,
      ]),
    );
  }

  async #isWanted(id: string): Promise<boolean> {
    const [row] = await this.#connection.query<{ cancelled: boolean }>(
      'SELECT cancelled_at IS NOT NULL AS cancelled FROM sweeps WHERE id = $1',
      [id],
    );
    return row !== undefined && !row.cancelled;
  }

  /** A signal for one item: the worker's own end, or that its sweep is not wanted any more. */
  #wanted(sweep: string, signal?: AbortSignal): { readonly signal: AbortSignal; end(): void } {
    const unwanted = new AbortController();
    const timer = setInterval(() => {
      // A database that is away is asked again.
      void this.#isWanted(sweep).then(
        (wanted) => wanted || unwanted.abort(),
        () => undefined,
      );
    }, WANTED_MS);
    timer.unref();
    return {
      signal: AbortSignal.any([unwanted.signal, ...(signal ? [signal] : [])]),
      end: () => clearInterval(timer),
    };
  }

  /** @returns undefined where the signal came before its end */
  async #do(
    id: string,
    { sweep: name, item }: Job,
    on: Items,
    leases: Leases,
    signal?: AbortSignal,
  ): Promise<ItemReport | undefined> {
    if (signal?.aborted) return undefined;
    const sweep = await persistently(() => this.sweep(name));
    const label = kindOf(sweep.kind).label(sweep.request, item);
    const left = (why: string): ItemReport => {
      leases.drop(id);
      return { sweep: name, kind: sweep.kind, item, label, took: 0, error: why };
    };
    const started = performance.now();
    const wanted = this.#wanted(name, signal);
    let result = '';
    let error: string | null = null;
    try {
      result = encode(await on.compute(sweep.kind, sweep.request, item, wanted.signal));
    } catch (cause) {
      if (signal?.aborted) return undefined;
      if (wanted.signal.aborted) return left(CANCELLED);
      if (cause instanceof Withdrawn) return left(cause.message);
      error = (cause as Error).message;
    } finally {
      wanted.end();
    }
    const took = Math.round(performance.now() - started);
    await persistently(() =>
      this.#connection.transaction(async (sql) => {
        await sql.query(
          'INSERT INTO sweep_results (sweep, item, result, error, worker, took) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING',
          [name, item, result, error, `${WORKER} ${on.device}`, took],
        );
        await this.#boss.complete(QUEUE, id, {}, { db: bossDb(sql) });
      }),
    );
    leases.drop(id);
    return {
      sweep: name,
      kind: sweep.kind,
      item,
      label,
      took,
      ...(error && { error }),
    };
  }
}

const CANCELLED = 'The sweep was cancelled.';

/** What is taken waits again, as if it had not been. */
const GIVE_BACK = `UPDATE ${JOB_TABLE} SET state = 'created', started_on = NULL`;

const bossDb = (sql: Sql): PgBoss.Db => ({
  executeSql: async (text, values) => ({ rows: await sql.query(text, values) }),
});

/** Kinds as they are used where the name is not known before. */
const kindOf = (name: KindName) => KINDS[name] as unknown as SweepKind<unknown, unknown>;

/** A sweep by what it asks. */
function named<K extends KindName>(kind: K, asked: RequestOf<K>): Sweep<K> & { readonly text: string } {
  const request = kindOf(kind).schema.parse(asked) as RequestOf<K>;
  const text = encode(request);
  const id = createHash('sha256').update(`${kind}\n${text}`).digest('hex').slice(0, 20);
  return { id, kind, request, items: kindOf(kind).items(request), text };
}

/** Jobs that are made together are taken in the order of their ids; the same item has the same job. */
function jobId(sweep: string, item: number): string {
  const hex = `${sweep}${item.toString(16).padStart(12, '0')}`;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
