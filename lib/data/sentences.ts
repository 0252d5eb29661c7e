/**
 * Text into sentences, as NLTK's Punkt does before it has learnt any abbreviation: that is how BABILong cuts its background,
 * and cutting alike lets its samples be made again.
 */

/** A sign that may end a sentence, with what comes after it: another sign, or a blank and a word. */
const END = /[.?!](?=(?<sign>[)";}\]*:@'({[!?])|(?<blanks>\s+)(?<word>\S+))/g;

/** What still belongs to the sentence before. */
const CLOSING = /["')\]}]+?(?:\s+|(?=--)|$)/y;

const INITIAL = /^[\p{L}_]$/u;
const NUMBER = /^-?[.,]?\d[\d,.-]*$/;

/** Of a word, what is looked at before its full stop. */
const LONGEST_TOKEN = 64;

/** Whether a word with a full stop behind it ends a sentence before `next`. */
function ends(word: string, next: string): boolean {
  // Dots that go on are no end.
  if (word.endsWith('.')) return false;
  const last = word.split(/--+|[^\p{L}\p{M}\p{N}_.,'-]+/u).at(-1) ?? '';
  const isInitial = INITIAL.test(last);
  if (!isInitial && !NUMBER.test(last)) return true;
  if (/^(?:[;:,!?]|\.(?!\.))/.test(next) || /^\p{Ll}/u.test(next)) return false;
  return !(isInitial && /^\p{Lu}/u.test(next));
}

/** The sentences of a text, each without the blanks around it. Cost: linear in the text. */
export function sentencesOf(text: string): string[] {
  const slices: { start: number; end: number }[] = [];
  let from = 0;
  let pending: { readonly end: number; readonly next: number; readonly isEnd: boolean } | undefined;
  const close = () => {
    if (!pending?.isEnd) return;
    slices.push({ start: from, end: pending.end });
    from = pending.next;
  };
  let word = 0;
  let looked = 0;
  let hasMark = false;
  for (const match of text.matchAll(END)) {
    const { index } = match;
    const between = text.slice(looked, index);
    const blank = between.search(/\s\S*$/);
    if (blank >= 0) {
      close();
      word = looked + blank + 1;
      hasMark = false;
    }
    looked = index;
    hasMark ||= /[?!]/.test(text.slice(Math.max(word, index - between.length), index + 1));
    const { sign, blanks = '', word: next = sign } = match.groups as Readonly<Record<string, string>>;
    const end = index + 1;
    // Of several signs in one word the last decides.
    pending = {
      end,
      next: end + blanks.length,
      isEnd: hasMark || ends(text.slice(Math.max(word, index - LONGEST_TOKEN), index), next),
    };
  }
  close();
  slices.push({ start: from, end: text.trimEnd().length });
  return withClosing(text, slices);
}

/** Quotes and brackets that close what the sentence before has opened go to its end. */
function withClosing(text: string, slices: readonly { start: number; end: number }[]): string[] {
  const sentences: string[] = [];
  let skipped = 0;
  slices.forEach(({ start, end }, k) => {
    const begin = start + skipped;
    skipped = 0;
    const next = slices[k + 1];
    CLOSING.lastIndex = next?.start ?? 0;
    const closing = next && next.end > next.start ? CLOSING.exec(text.slice(0, next.end))?.[0] : undefined;
    if (closing !== undefined) {
      sentences.push(text.slice(begin, next.start + closing.trimEnd().length));
      skipped = closing.length;
    } else if (end > begin) sentences.push(text.slice(begin, end));
  });
  return sentences;
}
