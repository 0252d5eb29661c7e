/** Most rows of an exact test in its first picture. */
export const MOST_ROWS = 12;

interface Prompt {
  readonly tokens: readonly { readonly text: string }[];
  /** Of the token that is read. */
  readonly position: number;
}

const ENDS = /[.?!:;\n]\s*$/;

/**
 * The sentences of a model's prompt up to the token that is read, as spans of its own tokens; the token that is read stands by itself. Where
 * there are more than {@link MOST_ROWS}, neighbours go together; a text without an end of a sentence is cut into equal parts.
 */
export function sentenceSpans({ tokens, position }: Prompt): [number, number][] {
  const ends = tokens
    .slice(0, position)
    .flatMap(({ text }, t) => (ENDS.test(text) || t === position - 1 ? [t + 1] : []));
  const most = MOST_ROWS - 1;
  const chosen =
    ends.length === 1 && position > most
      ? Array.from({ length: most }, (_, k) => Math.round(((k + 1) * position) / most))
      : ends.filter(
          (_, k) =>
            Math.floor(((k + 1) * most) / ends.length) > Math.floor((k * most) / ends.length) || ends.length <= most,
        );
  return [...chosen, position + 1].map((end, k) => [k === 0 ? 0 : chosen[k - 1], end]);
}
