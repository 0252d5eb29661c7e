#!/usr/bin/env node
// The command line. Sets up what is missing, then hands over to the bundle.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './lib/root.mjs';
import { say } from './lib/run.mjs';
import { addon, bundles, checkNode, dependencies } from './lib/setup.mjs';

process.env.STATESCOPE_ROOT ??= ROOT;
try {
  checkNode();
  await dependencies();
  await addon();
  await bundles();
} catch (error) {
  say(error.message);
  process.exit(1);
}
await import(pathToFileURL(join(ROOT, 'dist', 'cli.mjs')).href);
