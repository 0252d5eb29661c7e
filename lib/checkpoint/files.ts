/** Positional reading of files, so that one tensor at a time goes from the disk into its own memory. */

import { constants, type Stats } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { checkJsonForm } from './json-form';
