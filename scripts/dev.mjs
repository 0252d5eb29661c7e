// npm run dev: the development server behind the same door, with the worker and the command line rebuilt first.
import { serveHere } from './lib/serve-here.mjs';
import { prepare } from './lib/setup.mjs';

await serveHere({ dev: true, setUp: prepare });
