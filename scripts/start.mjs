// npm start: sets up what is missing, then serves the production build; with --as-built it sets nothing up.
import { serveHere } from './lib/serve-here.mjs';
import { database, page, prepare } from './lib/setup.mjs';

// What was built elsewhere, as in an image, is served as it is: there may be no compiler here, and no right to write.
const asBuilt = process.argv.includes('--as-built');
await serveHere({ dev: false, setUp: (first) => (asBuilt ? first() : prepare(first, page, database)) });
