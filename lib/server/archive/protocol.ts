import type { Analysis } from '@/lib/api/causal';
import type { Run, RunSummary } from '@/lib/api/schemas';
import type { Body } from '../protocol';

/** What passes between the web server's thread and the thread that owns the archive of runs. */

/** Methods of the archive: argument and result. */
export interface ArchiveMethods {
  /** Waits until the archive is open; tries again where it could not be opened or was lost. */
  open: { argument: null; result: null };
  /** Adds a finished run whose arrays weigh `bytes`, or replaces it. Removes the oldest beyond the limit and names them. */
  put: { argument: { run: Run; bytes: number }; result: string[] };
  /** Writes down work that was accepted or goes on, so that it is known if this server dies. */
  accept: { argument: Accepted; result: null };
  /** Accepted work has ended and leaves nothing to keep. */
  settle: { argument: string; result: null };
  /** Newest first. */
  list: { argument: null; result: RunSummary[] };
  get: { argument: string; result: { run: Run; bytes: number } | null };
  rename: { argument: { id: string; name: string }; result: boolean };
  /** Removes a run and its arrays. */
  forget: { argument: string; result: boolean };
  /** Adds a finished analysis to its run, in place of the `replaced` ones; not where the run is not kept. */
  putAnalysis: { argument: AnalysisEntry; result: { kept: boolean; removed: string[] } };
  analysis: { argument: string; result: { analysis: Analysis; tensors: Body | null } | null };
  /** Ends the database and gives the folder back. */
  close: { argument: null; result: null };
}

export interface AnalysisEntry {
  readonly analysis: Analysis;
  readonly run: string;
  /** Its name, as `questionOf` gives it. */
  readonly question: string;
  readonly tensors: Body | null;
  /** Ids of analyses that it takes the place of. */
  readonly replaced: readonly string[];
}

/** Work as it stands when it is accepted. */
export type Accepted =
  | { readonly kind: 'run'; readonly record: Run }
  | { readonly kind: 'analysis'; readonly record: Analysis };

export type ArchiveMethod = keyof ArchiveMethods;

export type ArchiveRequest = {
  [M in ArchiveMethod]: { call: number; method: M; argument: ArchiveMethods[M]['argument'] };
}[ArchiveMethod];

export type ArchiveReply =
  | { kind: 'open' }
  /**
   * The archive cannot be opened or was lost: calls are refused until another `open` has succeeded, which is worth trying
   * `again` or not.
   */
  | { kind: 'closed'; message: string; again: boolean }
  | { kind: 'result'; call: number; result: unknown }
  /** `status` where not the archive failed but what was asked for cannot be given. */
  | { kind: 'failure'; call: number; message: string; status?: number };

/** `workerData` of the thread. */
export interface ArchiveStart {
  /** Holds the lock, the database and the arrays. */
  readonly folder: string;
  /** Holds the SQL that drizzle-kit generated. */
  readonly migrations: string;
  /** An empty database to copy into a new folder; one is made where it is missing. */
  readonly template: string;
  /** Bytes of arrays and states that are kept. */
  readonly limit: number;
  /** Of a PostgreSQL server, used in place of the embedded database. */
  readonly databaseUrl?: string;
  /** Names this server among those that have used the store. */
  readonly instance: string;
}
