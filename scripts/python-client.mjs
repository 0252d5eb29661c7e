// npm run python:client: makes python/src/statescope/_api.py from the OpenAPI document.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from './lib/bundle.mjs';
import { ROOT } from './lib/root.mjs';
import { prepare } from './lib/setup.mjs';

process.chdir(ROOT);
await prepare(() => bundle(['python-client']));
await import(pathToFileURL(join(ROOT, 'dist', 'python-client.mjs')).href);
