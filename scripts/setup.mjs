// npm run setup: everything that `npm start` and `npm test` prepare, without starting anything.
import { database, page, prepare } from './lib/setup.mjs';

await prepare(page, database);
