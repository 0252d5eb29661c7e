// npm install of the package: compiles the add-on and links what the page needs. In a clone `npm start` and `npm test` set up.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './lib/root.mjs';

if (!existsSync(join(ROOT, 'package-lock.json'))) {
  const { prepare } = await import('./lib/setup.mjs');
  const { makeDatabase } = await import('./lib/database.mjs');
  // npm packs no empty folders, of which a database has many.
  await prepare(makeDatabase);
}
