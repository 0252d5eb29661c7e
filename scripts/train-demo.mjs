// npm run train:demo: trains the bundled pairs again, from their fixed seeds, into models/, and two more seeds of the stories pair for
// their reports. Goes on where it was stopped; --only NAME trains one.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from './lib/bundle.mjs';
import { ROOT } from './lib/root.mjs';
import { prepare } from './lib/setup.mjs';

process.chdir(ROOT);
await prepare(() => bundle(['train-demo']));
await import(pathToFileURL(join(ROOT, 'dist', 'train-demo.mjs')).href);
