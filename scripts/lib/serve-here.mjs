import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './root.mjs';
import { say } from './run.mjs';

/**
 * Serves the pages from this very process: signals reach the server, and nothing outlives it.
 * @param setUp calls what it is given as soon as the bundles are there, so that what is wrong with the settings is said
 * before the long steps begin.
 */
export async function serveHere({ dev, setUp }) {
  process.env.NODE_ENV = dev ? 'development' : 'production';
  process.env.NEXT_TELEMETRY_DISABLED = '1';
  process.env.STATESCOPE_ROOT = ROOT;
  let door;
  let settings;
  try {
    await setUp(async () => {
      door = await import(pathToFileURL(join(ROOT, 'dist', 'server.mjs')).href);
      settings = door.readDoorSettings(process.env);
    });
    process.chdir(ROOT);
    await door.serve(settings, { dir: ROOT, dev });
  } catch (error) {
    say(error.message);
    process.exit(1);
  }
}
