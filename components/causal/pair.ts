/** Places where two equally long lists of tokens differ. */
export const differingTokens = (a: readonly { text: string }[], b: readonly { text: string }[]): Set<number> =>
  new Set(a.flatMap(({ text }, k) => (text === b[k]?.text ? [] : [k])));

/** Why two prompts cannot be patched into each other, or undefined. */
export function pairProblem(
  model: string,
  clean: number,
  corrupted: number | undefined,
  same: boolean,
): string | undefined {
  if (corrupted === undefined) return undefined;
  if (clean !== corrupted)
    return `${model} reads ${clean} tokens in the clean prompt and ${corrupted} in the corrupted one: exchange words for words of as many tokens.`;
  return same ? 'The two prompts are the same: change a word in the corrupted one.' : undefined;
}
