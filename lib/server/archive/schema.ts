import { bigint, foreignKey, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';

/**
 * The runs that are kept, one row each; their arrays lie beside the database as safetensors files. JSON is stored as
 * text because `jsonb` refuses the character U+0000, which is a token of byte-level vocabularies. A database may hold
 * the rows of several stores, each of which sees only its own.
 *
 * After a change: `npx drizzle-kit generate --dialect postgresql --schema lib/server/archive/schema.ts --out
 * lib/server/archive/migrations`. Servers apply what is new when they open the store.
 */
export const runs = pgTable(
  'runs',
  {
    /** Whose it is, as the marker in the data folder says; empty for one of a version that had no markers. */
    store: text('store').notNull().default(''),
    id: text('id').notNull(),
    /** What its reader calls it; empty for none. */
    name: text('name').notNull().default(''),
    /** Milliseconds since 1970. */
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    /** Bytes of its arrays; 0 when they are not kept. */
    bytes: bigint('bytes', { mode: 'number' }).notNull(),
    /** What lists show of it, as JSON with its format. */
    summary: text('summary').notNull(),
    /** Its whole state, as JSON with its format. */
    run: text('run').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.store, table.id] }),
    index('runs_created_at').on(table.store, table.createdAt),
  ],
);

/** Finished causal tests and batches, one row each; they go with their run. Their tensors lie in its folder. */
export const analyses = pgTable(
  'analyses',
  {
    store: text('store').notNull().default(''),
    id: text('id').notNull(),
    run: text('run').notNull(),
    /** Milliseconds since 1970. */
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    kind: text('kind').notNull(),
    /** What names its question. */
    question: text('question').notNull(),
    /** Bytes of its tensors. */
    bytes: bigint('bytes', { mode: 'number' }).notNull(),
    /** Its whole state with the result, as JSON with its format. */
    analysis: text('analysis').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.store, table.id] }),
    index('analyses_run').on(table.store, table.run),
    foreignKey({ columns: [table.store, table.run], foreignColumns: [runs.store, runs.id] })
      .onDelete('cascade')
      .onUpdate('cascade'),
  ],
);

/**
 * Runs and analyses that were accepted and have not ended, one row each: what a server that was killed leaves here was
 * interrupted. An interrupted run moves to `runs`; an interrupted analysis stays, with no owner.
 */
export const unfinished = pgTable(
  'unfinished',
  {
    store: text('store').notNull().default(''),
    id: text('id').notNull(),
    kind: text('kind').notNull(),
    /** The server that computes it, as `ArchiveStart.instance`; empty once it was interrupted. */
    owner: text('owner').notNull(),
    /** When it was accepted or went on, in milliseconds since 1970. */
    since: bigint('since', { mode: 'number' }).notNull(),
    /** Its state then, as JSON with its format. */
    record: text('record').notNull(),
  },
  (table) => [primaryKey({ columns: [table.store, table.id] })],
);

/** Sweeps: work that is split into items, which are jobs of pg-boss (its tables have a schema of their own, `pgboss`). */
export const sweeps = pgTable('sweeps', {
  /** Made of all that its results depend on: the same question is the same sweep. */
  id: text('id').primaryKey(),
  kind: text('kind').notNull(),
  /** What is asked, as JSON. */
  request: text('request').notNull(),
  items: integer('items').notNull(),
  /** Milliseconds since 1970. */
  createdAt: bigint('created_at', { mode: 'number' }).notNull(),
  /** Likewise; null unless somebody has cancelled it. */
  cancelledAt: bigint('cancelled_at', { mode: 'number' }),
});

/** What items came to, one row each: a second answer to the same item changes nothing. */
export const sweepResults = pgTable(
  'sweep_results',
  {
    sweep: text('sweep')
      .notNull()
      .references(() => sweeps.id, { onDelete: 'cascade' }),
    item: integer('item').notNull(),
    /** As JSON; empty where it failed. */
    result: text('result').notNull(),
    /** One sentence; null where it did not fail. */
    error: text('error'),
    /** Who did it: process and machine. */
    worker: text('worker').notNull(),
    /** Milliseconds that it took. */
    took: integer('took').notNull(),
  },
  (table) => [primaryKey({ columns: [table.sweep, table.item] })],
);
