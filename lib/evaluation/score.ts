import { InputError } from '@/lib/input-error';
import { labelsOf, TASKS } from './labels';

/** An answer in words, and what it should have been. */
export interface Answered {
  /** qa1 … qa20, which says what may be answered. */
  readonly task: string;
  readonly target: string;
  readonly output: string;
  readonly question: string;
}

/** Both scores of an answer; they are always given together, since each alone can turn a comparison of models round. */
export interface Score {
  /**
   * The rule of BABILong: of the task's labels exactly the target is in the output's first sentence, labels of the question
   * left aside. A right answer that is followed by another label is wrong.
   */
  readonly strict: boolean;
  /** The output begins with the target. */
  readonly first: boolean;
}

/** The output ends before the first of each, one after the other, in this order. */
const CUTS = ['.', '<context>', '<example>'] as const;

/** @throws InputError where there is no such task */
export function score({ task, target, output, question }: Answered): Score {
  const labels = labelsOf(task);
  if (!labels) throw new InputError(`There is no task "${task}": tasks are ${TASKS[0]} to ${TASKS.at(-1)}.`);
  return { strict: isStrictlyRight(labels, target, output, question), first: beginsWith(output, target) };
}

function isStrictlyRight(labels: readonly string[], target: string, output: string, question: string): boolean {
  const said = CUTS.reduce((text, cut) => text.split(cut, 1)[0], output.toLowerCase());
  const asked = question.toLowerCase();
  const found = new Set(
    labels.map((label) => label.toLowerCase()).filter((label) => said.includes(label) && !asked.includes(label)),
  );
  const wanted = target.toLowerCase();
  // Several things at once; the directions of qa19, three characters, are labels of their own.
  const parts = wanted.includes(',') && wanted.length > 3 ? wanted.split(',') : [wanted];
  return found.size === parts.length && parts.every((part) => found.has(part));
}

const beginsWith = (output: string, target: string) =>
  output.trim().toLowerCase().startsWith(target.trim().toLowerCase());
