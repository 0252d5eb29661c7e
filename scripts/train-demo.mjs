// npm run train:demo: trains the bundled pair again, from its fixed seeds, into models/. Goes on where it was stopped.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from './lib/bundle.mjs';
import { ROOT } from './lib/root.mjs';
import { prepare } from './lib/setup.mjs';

process.chdir(ROOT);
await prepare(() => bundle(['train-demo']));
await import(pathToFileURL(join(ROOT, 'dist', 'train-demo.mjs')).href);
