// npm run setup: everything that `npm start` and `npm test` prepare, without starting anything.
import { say } from './lib/run.mjs';
import { addon, bundles, checkNode, dependencies, page } from './lib/setup.mjs';

try {
  checkNode();
  await dependencies();
  await addon();
  await bundles();
  await page();
} catch (error) {
  say(error.message);
  process.exit(1);
}
