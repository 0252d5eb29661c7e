import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '@/lib/input-error';
import { readWhole, textOf, type WholeFile } from './text-file';

/** A question of a bAbI story, with everything that was said before it. */
export interface BabiQuestion {
  readonly facts: readonly string[];
  readonly question: string;
  readonly answer: string;
  /** Places in `facts` of those that decide the answer, in the order in which the file names them. */
  readonly supporting: readonly number[];
}

/**
 * The questions of a bAbI file, in its order. A line is `n sentence.` or `n question<tab>answer<tab>numbers of facts`; n = 1
 * begins a story, and several questions of a story have the facts before them.
 * @param label how sentences call the file
 * @throws InputError naming file and line
 */
export function parseBabi(text: string, label: string): BabiQuestion[] {
  const questions: BabiQuestion[] = [];
  /** What the lines of the story are: facts by their number. */
  let numbers: number[] = [];
  let facts: string[] = [];
  let last = 0;
  text.split('\n').forEach((raw, k) => {
    const line = raw.replace(/\r$/, '');
    if (line.trim() === '') return;
    const fault = (what: string) => new InputError(`Line ${k + 1} of ${label} ${what}.`);
    const found = /^(\d+) (.*)$/.exec(line);
    if (!found) throw fault('is not of a bAbI file: it must begin with its number in the story and a blank');
    const number = Number(found[1]);
    if (number === 1) [numbers, facts] = [[], []];
    else if (number !== last + 1) throw fault(`has the number ${number} after ${last}: lines are missing`);
    last = number;
    const [said, answer, named, ...rest] = found[2].split('\t');
    if (answer === undefined) {
      numbers.push(number);
      facts.push(said);
      return;
    }
    if (named === undefined || rest.length > 0 || answer === '')
      throw fault('is a question without an answer and the numbers of its facts, each after a tab');
    const supporting = named
      .trim()
      .split(/\s+/)
      .map((one) => numbers.indexOf(Number(one)));
    if (supporting.includes(-1)) throw fault(`names facts ("${named}") that are not before it in its story`);
    questions.push({ facts: [...facts], question: said, answer, supporting });
  });
  if (questions.length === 0) throw new InputError(`${label} holds no questions: give a file of the bAbI tasks.`);
  return questions;
}

export interface BabiFile {
  readonly file: WholeFile;
  readonly questions: readonly BabiQuestion[];
}

/**
 * A task of the bAbI folder (`en`, `en-10k`, …), whose files are called `qa1_…_train.txt`, also packed as `.gz`.
 * @param task `qa1` to `qa20`
 * @throws InputError where the file is missing or of another form
 */
export function readBabi(folder: string, task: string, part: 'train' | 'test'): BabiFile {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new InputError(
      `The folder ${folder} cannot be read (${(error as NodeJS.ErrnoException).code}); give a folder of the bAbI tasks.`,
    );
  }
  const name = names.find((one) => one.startsWith(`${task}_`) && new RegExp(`_${part}\\.txt(\\.gz)?$`).test(one));
  if (!name)
    throw new InputError(`${folder} holds no ${task}_…_${part}.txt: give a folder of the bAbI tasks, such as en-10k.`);
  const file = readWhole(join(folder, name));
  return { file, questions: parseBabi(textOf(file), name) };
}
