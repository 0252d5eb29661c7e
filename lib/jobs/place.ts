import { join, resolve } from 'node:path';
import { InputError } from '@/lib/input-error';

/** Where jobs lie. */
export interface JobsPlace {
  /** The folder that holds the migrations and `dist/database`, an empty database. */
  readonly root: string;
  /** The data folder: without a `databaseUrl` the database of the jobs lies inside. */
  readonly folder: string;
  /** A PostgreSQL server, which any number of processes share. */
  readonly databaseUrl?: string;
}

/** The place that the environment names (DATABASE_URL, STATESCOPE_DATA). @throws InputError */
export function placeOfEnvironment(root: string, env: NodeJS.ProcessEnv = process.env): JobsPlace {
  const databaseUrl = env.DATABASE_URL || undefined;
  if (env.STATESCOPE_DATA === 'none' && !databaseUrl)
    throw new InputError('Jobs need a place: STATESCOPE_DATA is "none"; set it to a folder, or DATABASE_URL.');
  return { root, folder: resolve(root, env.STATESCOPE_DATA || 'data'), databaseUrl };
}

/** A page that is open must not keep a sweep from running: jobs have a database of their own beside that of the runs. */
export const jobsFolder = ({ folder }: JobsPlace) => join(folder, 'jobs');
