/** The one queue of all items, in the tables of pg-boss. */
export const QUEUE = 'statescope-items';

/** The table of pg-boss: what says that a worker lives, and what it gives back, has no function there. */
export const JOB_TABLE = 'pgboss.job';
