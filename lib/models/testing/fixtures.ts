import { caseOf, modelCases } from '@/testing/references';

export interface ReferenceCase {
  readonly name: string;
  readonly folder: string;
  readonly tokens: number[][];
  readonly blocks: string[];
  readonly tolerance: number;
  readonly greedy: { prompt_tokens: number[]; new_tokens: number[] };
}

/** Every reference case to be found, those of the repository first; each name once. */
export const referenceCases = (): ReferenceCase[] =>
  modelCases().map(({ name, folder }) => {
    const { tokens, blocks, tolerances, greedy } = caseOf(folder);
    return { name, folder, tokens, blocks, tolerance: tolerances.rtol_of_max_abs, greedy };
  });
