import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonClient } from './python';

/** npm run python:client: writes the typed half of the Python package. */
writeFileSync(join(process.cwd(), 'python/src/statescope/_api.py'), pythonClient());
