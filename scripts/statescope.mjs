#!/usr/bin/env node
// The command line. Sets up what is missing, then hands over to the bundle.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './lib/root.mjs';
import { prepare } from './lib/setup.mjs';

// An empty one is none, as everywhere.
process.env.STATESCOPE_ROOT ||= ROOT;
await prepare();
await import(pathToFileURL(join(ROOT, 'dist', 'cli.mjs')).href);
