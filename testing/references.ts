import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where reference values lie: in the repository, and the full set beside it, which has more cases and whole ones. */
const SETS = {
  models: ['../shared/fixtures/models', 'lib/models/testing/cases'],
  lens: ['../shared/fixtures/lens', 'lib/analysis/testing/lens'],
} as const;

export const FULL_SET = 'the full set of reference values beside the repository (../shared/fixtures)';

/** The folders that hold cases of models: the full set, then that of the repository. */
export const MODEL_SETS = SETS.models.map((folder) => join(process.cwd(), folder));

/** A folder of reference values by name, the whole one before one that is thinned; null where there is neither. */
export function referenceFolder(set: keyof typeof SETS, name: string): string | null {
  return (
    SETS[set]
      .map((folder) => join(process.cwd(), folder, name))
      .find((folder) => existsSync(join(folder, 'config.json'))) ?? null
  );
}

/** Every case of a model, those of the repository first, each name once; `holding` keeps those with that file. */
export function modelCases(holding = 'case.json'): { readonly name: string; readonly folder: string }[] {
  const [full, committed] = MODEL_SETS;
  const names = new Set([committed, full].flatMap((set) => (existsSync(set) ? readdirSync(set).sort() : [])));
  return [...names].flatMap((name) => {
    const folder = referenceFolder('models', name);
    return folder && existsSync(join(folder, holding)) ? [{ name, folder }] : [];
  });
}

/** What `case.json` of a folder says. */
export const caseOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
