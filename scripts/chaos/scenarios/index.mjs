import damagedStore from './damaged-store.mjs';
import diskFull from './disk-full.mjs';
import door from './door.mjs';
import ending from './ending.mjs';
import foreignFiles from './foreign-files.mjs';
import hostileModels from './hostile-models.mjs';
import hostileRequests from './hostile-requests.mjs';
import hostileTexts from './hostile-texts.mjs';
import killServer from './kill-server.mjs';
import killTraining from './kill-training.mjs';
import killTunedLens from './kill-tuned-lens.mjs';
import killWrites from './kill-writes.mjs';
import load from './load.mjs';
import newDatabase from './new-database.mjs';
import postgresFrozen from './postgres-frozen.mjs';
import postgresKilled from './postgres-killed.mjs';
import regexBomb from './regex-bomb.mjs';
import sharedPostgres from './shared-postgres.mjs';
import twoOwners from './two-owners.mjs';

/**
 * What can go wrong, one file each: `name`, `title`, `run(world)`, and `missing()` where this machine may lack what it
 * needs, which then says what.
 */
export const SCENARIOS = [
  foreignFiles,
  newDatabase,
  twoOwners,
  sharedPostgres,
  killServer,
  postgresKilled,
  postgresFrozen,
  diskFull,
  damagedStore,
  ending,
  killTraining,
  killTunedLens,
  killWrites,
  hostileModels,
  regexBomb,
  hostileTexts,
  hostileRequests,
  door,
  load,
];
