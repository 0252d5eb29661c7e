import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders that may hold reference cases: those in the repository, and the full set beside it where present. */
const FOLDERS = [join(process.cwd(), 'lib/models/testing/cases'), join(process.cwd(), '../shared/fixtures/models')];

export interface ReferenceCase {
  readonly name: string;
  readonly folder: string;
  readonly tokens: number[][];
  readonly blocks: string[];
  readonly tolerance: number;
  readonly greedy: { prompt_tokens: number[]; new_tokens: number[] };
}

/** Every reference case to be found, those of the repository first; each name once. */
export function referenceCases(): ReferenceCase[] {
  const cases = new Map<string, ReferenceCase>();
  for (const folder of FOLDERS.filter((path) => existsSync(path)))
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      if (cases.has(name) || !existsSync(join(path, 'case.json'))) continue;
      const { tokens, blocks, tolerances, greedy } = JSON.parse(readFileSync(join(path, 'case.json'), 'utf8'));
      cases.set(name, { name, folder: path, tokens, blocks, tolerance: tolerances.rtol_of_max_abs, greedy });
    }
  return [...cases.values()];
}
