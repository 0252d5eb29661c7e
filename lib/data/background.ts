import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { InputError } from '@/lib/input-error';
import { projectRoot } from '@/lib/project-root';
import { SPLITS, type Split } from './source';
import { OBJECTS, PERSONS, ROOMS } from './story-words';

/** Sentences of a book between which facts can be hidden, by split; parts of the book are in one split each. */
export interface Background {
  readonly sentences: Readonly<Record<Split, readonly string[]>>;
  readonly sha256: string;
}

/** A path that is not absolute starts at the project. */
export const projectPath = (path: string): string => (isAbsolute(path) ? path : join(projectRoot(), path));

const HEADING = /^\w+ \d+$/;
const [FEWEST_WORDS, MOST_WORDS] = [4, 18];
const HELD_OUT_ONE_IN = 16;

/** Words that would answer a question, or seem to. */
const STORY_WORDS = new RegExp(`\\b(?:${[...PERSONS, ...ROOMS, ...OBJECTS, 'Where'].join('|')})`, 'i');

/** The split of a part of the book by its place: of sixteen that follow one another one is validation and one is test. */
function splitOfPart(part: number): Split {
  const place = part % HELD_OUT_ONE_IN;
  return place === 5 ? 'validation' : place === 13 ? 'test' : 'train';
}

/** Cut at the marks that end a clause; each begins with a capital and ends with a full stop. */
function clauses(line: string): string[] {
  return line
    .split(/[.?!:;]+/)
    .map((clause) => clause.trim())
    .filter((clause) => {
      const words = clause.split(/\s+/).length;
      return words >= FEWEST_WORDS && words <= MOST_WORDS && !STORY_WORDS.test(clause);
    })
    .map((clause) => `${clause[0].toUpperCase()}${clause.slice(1)}.`);
}

/**
 * The clauses of a book (gzip; a part begins with a line like `Ge 1`), but for those that name a person, room or object of the
 * stories.
 * @throws InputError where the file cannot be read
 */
export async function loadBackground(path: string): Promise<Background> {
  const file = projectPath(path);
  const packed = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new InputError(`The background text ${file} cannot be read (${error.code}).`);
  });
  const sentences: Record<Split, string[]> = { train: [], validation: [], test: [] };
  let part = -1;
  for (const line of gunzipSync(packed).toString('utf8').split('\n'))
    if (HEADING.test(line)) part += 1;
    else sentences[splitOfPart(part)].push(...clauses(line));
  const empty = SPLITS.find((split) => sentences[split].length === 0);
  if (empty)
    throw new InputError(
      `The background text ${file} has no sentences for ${empty}: it needs 16 parts or more, each below a heading such as "Ge 1".`,
    );
  return { sentences, sha256: createHash('sha256').update(packed).digest('hex') };
}
