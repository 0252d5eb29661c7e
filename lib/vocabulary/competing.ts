type Span = readonly [start: number, end: number];

/** What a text is asked, and which of its characters [start, end) are spoken for. */
export interface CompetingQuestion {
  readonly target: string;
  /** Words that could be the answer. */
  readonly candidates: readonly string[];
  readonly needle?: Span | null;
  readonly question?: readonly Span[];
}

const escaped = (word: string) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Whether a text holds a word, as it is written and by itself. */
const names = (text: string, word: string) =>
  new RegExp(`(?<![\\p{L}\\p{N}])${escaped(word)}(?![\\p{L}\\p{N}])`, 'u').test(text);

/**
 * Sentences that name a candidate other than the target, as spans of characters: what competes with the answer where nobody has
 * said it. Those of the needle and of the question, or that are questions, are not among them.
 */
export function competingSentences(
  text: string,
  { target, candidates, needle, question = [] }: CompetingQuestion,
): (readonly [start: number, end: number])[] {
  const others = candidates.map((word) => word.trim()).filter((word) => word !== '' && word !== target.trim());
  const taken = needle ? [needle, ...question] : question;
  return [...text.matchAll(/[^.!?\n]+[.!?]*/g)].flatMap(({ 0: sentence, index }) => {
    const start = index + sentence.length - sentence.trimStart().length;
    const end = index + sentence.trimEnd().length;
    const free = start < end && !sentence.trimEnd().endsWith('?') && !taken.some(([a, b]) => a < end && start < b);
    return free && others.some((word) => names(sentence, word)) ? [[start, end] as const] : [];
  });
}
