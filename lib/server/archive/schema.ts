import { bigint, index, pgTable, text } from 'drizzle-orm/pg-core';

/**
 * The runs that are kept, one row each; their arrays lie beside the database as safetensors files. JSON is stored as
 * text because `jsonb` refuses the character U+0000, which is a token of byte-level vocabularies.
 *
 * After a change: `npx drizzle-kit generate --dialect postgresql --schema lib/server/archive/schema.ts --out
 * lib/server/archive/migrations`. Servers apply what is new when they open the store.
 */
export const runs = pgTable(
  'runs',
  {
    id: text('id').primaryKey(),
    /** What its reader calls it; empty for none. */
    name: text('name').notNull().default(''),
    /** Milliseconds since 1970. */
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    /** Bytes of its arrays; 0 when they are not kept. */
    bytes: bigint('bytes', { mode: 'number' }).notNull(),
    /** What lists show of it, as JSON. */
    summary: text('summary').notNull(),
    /** Its whole state, as JSON. */
    run: text('run').notNull(),
  },
  (table) => [index('runs_created_at').on(table.createdAt)],
);

/** Finished causal tests and batches, one row each; they go with their run. Their tensors lie in its folder. */
export const analyses = pgTable(
  'analyses',
  {
    id: text('id').primaryKey(),
    run: text('run')
      .notNull()
      .references(() => runs.id, { onDelete: 'cascade' }),
    /** Milliseconds since 1970. */
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    kind: text('kind').notNull(),
    /** What names its question. */
    question: text('question').notNull(),
    /** Bytes of its tensors. */
    bytes: bigint('bytes', { mode: 'number' }).notNull(),
    /** Its whole state with the result, as JSON. */
    analysis: text('analysis').notNull(),
  },
  (table) => [index('analyses_run').on(table.run)],
);

/**
 * Runs and analyses that were accepted and have not ended, one row each: what a server that was killed leaves here was
 * interrupted. An interrupted run moves to `runs`; an interrupted analysis stays, with no owner.
 */
export const unfinished = pgTable('unfinished', {
  id: text('id').primaryKey(),
  kind: text('kind').notNull(),
  /** The server that computes it, as `ArchiveStart.instance`; empty once it was interrupted. */
  owner: text('owner').notNull(),
  /** When it was accepted or went on, in milliseconds since 1970. */
  since: bigint('since', { mode: 'number' }).notNull(),
  /** Its state then, as JSON. */
  record: text('record').notNull(),
});
