/** Unicode normalisation in linear time: the engine's own sorts a run of combining marks by insertion. */

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** Above this, sorting by insertion is what takes the time. */
const LONG_RUN = /\p{M}{64}/u;

/** Marks of the combining classes 1 and 240; all others that are reordered lie between. */
const LOWEST = '\u0334';
const HIGHEST = '\u0345';

/** Whether the first of two different decomposed characters has the higher combining class. */
const isHigher = (first: string, second: string) => (first + second).normalize('NFD') === second + first;

const isReordered = (character: string) => isHigher(character, LOWEST) || isHigher(HIGHEST, character);

/** The combining classes of characters, numbered in their order; starters have none. */
function classesOf(characters: Iterable<string>): Map<string, number> {
  const marks = [...new Set(characters)].filter(isReordered);
  marks.sort((a, b) => (isHigher(a, b) ? 1 : isHigher(b, a) ? -1 : 0));
  let last = 0;
  return new Map(marks.map((mark, i) => [mark, i > 0 && isHigher(mark, marks[i - 1]) ? ++last : last]));
}

/** Decomposed characters in canonical order: each run of marks by class, those of one class as they were. */
function ordered(characters: readonly string[]): string {
  const classes = classesOf(characters);
  const result: string[] = [];
  let run: string[][] = [];
  const endRun = () => {
    for (const marks of run) if (marks) result.push(marks.join(''));
    run = [];
  };
  for (const character of characters) {
    const own = classes.get(character);
    if (own === undefined) {
      endRun();
      result.push(character);
    } else {
      run[own] ??= [];
      run[own].push(character);
    }
  }
  endRun();
  return result.join('');
}

/** `text.normalize(form)`. Cost: linear in the text. */
export function normalized(text: string, form: UnicodeForm): string {
  if (!LONG_RUN.test(text)) return text.normalize(form);
  const decomposition = form === 'NFC' || form === 'NFD' ? 'NFD' : 'NFKD';
  return ordered(Array.from(text).flatMap((character) => Array.from(character.normalize(decomposition)))).normalize(
    form,
  );
}
