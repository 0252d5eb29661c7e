// npm run train:demo: trains the bundled pair again, from its fixed seeds, into models/. Goes on where it was stopped.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from './lib/bundle.mjs';
import { ROOT } from './lib/root.mjs';
import { say } from './lib/run.mjs';
import { addon, checkNode, dependencies } from './lib/setup.mjs';

process.chdir(ROOT);
try {
  checkNode();
  await dependencies();
  await addon();
  await bundle(['train-demo']);
} catch (error) {
  say(error.message);
  process.exit(1);
}
await import(pathToFileURL(join(ROOT, 'dist', 'train-demo.mjs')).href);
