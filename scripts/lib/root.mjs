import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this clone, whatever folder a command was started from. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
