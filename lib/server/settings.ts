import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { defaultWeightFormat } from '@/lib/models/weight-format';
import type { WeightChoice } from '@/lib/vocabulary';

/** Limits and places, from the environment. Read once when the service starts. */
export interface Settings {
  /** The folder that holds `models/` and `dist/worker.mjs`. */
  readonly root: string;
  /** Longest prompt in tokens (STATESCOPE_MAX_TOKENS). */
  readonly maxTokens: number;
  /** How models keep their matrices (STATESCOPE_WEIGHTS). */
  readonly weights: WeightChoice;
  /** Bytes of weights kept loaded (STATESCOPE_MODEL_MEMORY_MB). */
  readonly modelBytes: number;
  /** Bytes of activations kept for finished runs, the running one included (STATESCOPE_RUN_MEMORY_MB). */
  readonly runBytes: number;
  /** Bytes that making one map may take beside weights and activations (STATESCOPE_MAP_MEMORY_MB). */
  readonly mapBytes: number;
  /** Finished runs whose state can still be read in memory (STATESCOPE_KEPT_RUNS). */
  readonly keptRuns: number;
  /** Where finished runs are kept (STATESCOPE_DATA); null keeps none. */
  readonly dataFolder: string | null;
  /** Bytes kept there (STATESCOPE_DATA_MB). */
  readonly dataBytes: number;
  /** A PostgreSQL server in place of the embedded database (DATABASE_URL). */
  readonly databaseUrl?: string;
  /** Nothing that lasts is changed: what is computed stays in memory (STATESCOPE_READ_ONLY). */
  readonly readOnly: boolean;
  /** Seconds that a tokenizer may take for one request (STATESCOPE_TEXT_SECONDS). */
  readonly textSeconds: number;
  /** Seconds in which the computing thread must get from one step to the next (STATESCOPE_STEP_SECONDS). */
  readonly stepSeconds: number;
  /** Runs that may wait. */
  readonly queueLimit: number;
}

const MB = 1024 * 1024;

function positive(name: string, fallback: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${name} must be a positive number, not "${text}".`);
  return value;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Error with one sentence when the variable is neither on nor off. */
export function isOn(env: Environment, name: string): boolean {
  const text = env[name];
  if (!text || text === '0') return false;
  if (text === '1') return true;
  throw new Error(`${name} must be 1 or 0, not "${text}".`);
}

/** @throws Error with one sentence when a variable is not what it must be. */
export function readSettings(): Settings {
  const quarter = Math.max(512, Math.floor(totalmem() / MB / 4));
  const root = process.env.STATESCOPE_ROOT || process.cwd();
  const data = process.env.STATESCOPE_DATA;
  return {
    root,
    maxTokens: Math.floor(positive('STATESCOPE_MAX_TOKENS', 4096)),
    weights: defaultWeightFormat(),
    modelBytes: positive('STATESCOPE_MODEL_MEMORY_MB', quarter) * MB,
    runBytes: positive('STATESCOPE_RUN_MEMORY_MB', quarter) * MB,
    mapBytes: positive('STATESCOPE_MAP_MEMORY_MB', 1024) * MB,
    keptRuns: Math.floor(positive('STATESCOPE_KEPT_RUNS', 50)),
    dataFolder: data === 'none' ? null : resolve(/* turbopackIgnore: true */ root, data || 'data'),
    dataBytes: positive('STATESCOPE_DATA_MB', 4096) * MB,
    databaseUrl: process.env.DATABASE_URL || undefined,
    readOnly: isOn(process.env, 'STATESCOPE_READ_ONLY'),
    textSeconds: positive('STATESCOPE_TEXT_SECONDS', 20),
    stepSeconds: positive('STATESCOPE_STEP_SECONDS', 600),
    queueLimit: 20,
  };
}

/** The worker's bundle, which scripts/build.mjs makes from lib/server/worker.ts. */
export const workerPath = ({ root }: Settings) => join(root, 'dist', 'worker.mjs');

/** The bundle of the threads that read model folders and text, from lib/server/readers/thread.ts. */
export const readerPath = ({ root }: Settings) => join(root, 'dist', 'reader.mjs');

/** The bundle of the thread that owns the archive, from lib/server/archive/thread.ts. */
export const archivePath = ({ root }: Settings) => join(root, 'dist', 'archive.mjs');

/** The bundle of the thread that owns sweeps, from lib/server/sweeps/thread.ts. */
export const sweepsPath = ({ root }: Settings) => join(root, 'dist', 'sweeps.mjs');

/** An empty database that new data folders are copied from, where setup has made one. */
export const databaseTemplate = ({ root }: Settings) => join(root, 'dist', 'database');

/** The archive's tables, as SQL. */
export const migrationsFolder = ({ root }: Settings) => join(root, 'lib', 'server', 'archive', 'migrations');
