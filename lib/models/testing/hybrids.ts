import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface HybridCase {
  readonly name: string;
  readonly folder: string;
  readonly tokens: number[][];
  readonly tolerance: number;
  readonly greedy: { readonly prompt_tokens: number[]; readonly new_tokens: number[] };
}

const ROOT = join(import.meta.dirname, 'hybrids');

const read = (folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

/** Every case of a model with attention, as {@link ROOT} holds them. */
export const hybridCases = (): HybridCase[] =>
  readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const folder = join(ROOT, name);
      const { tokens, tolerances } = read(folder, 'case.json');
      return { name, folder, tokens, tolerance: tolerances.rtol_of_max_abs, greedy: read(folder, 'greedy.json') };
    });
