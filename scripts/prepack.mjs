// npm pack: everything but the add-on is built before it is packed.
import { listExternals } from './lib/packaged.mjs';
import { database, page, prepare } from './lib/setup.mjs';

await prepare(page, database, listExternals);
