import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '@/lib/input-error';

/** Rows of BABILong that a figure of the paper may have been made of: which lengths and tasks, and how many of the last rows. */
const SETTINGS = {
  /** The paper's text: 1000 examples of 1k to 2k tokens, 200 of each of qa1 to qa5; here half of them of either length. */
  paper: { lengths: ['1k', '2k'], tasks: 5, rows: 100 },
  /** The script that the authors published: the held-out last 100 rows of qa1 to qa20 without added text. */
  script: { lengths: ['0k'], tasks: 20, rows: 100 },
} as const;

const rowsSchema = z.array(z.object({ input: z.string(), question: z.string(), target: z.string().min(1) }));

/** Whether examples name such rows: `babilong-paper:FOLDER` or `babilong-script:FOLDER`. */
export const isBabilong = (examples: string): boolean => /^babilong-(paper|script):./.test(examples);

/**
 * The rows of a setting as lines of examples, in the order of tasks and lengths. The folder holds the data set
 * (RMT-team/babilong-1k-samples): `qa1/0k.json` …, each a list of {input, question, target}, also below `data`.
 * @param examples as {@link isBabilong} takes it
 * @throws InputError where a file is missing or of another form
 */
export async function babilongLines(examples: string): Promise<string> {
  const at = examples.indexOf(':');
  const folder = examples.slice(at + 1);
  const { lengths, tasks, rows } = SETTINGS[examples.slice('babilong-'.length, at) as keyof typeof SETTINGS];
  const lines: string[] = [];
  for (let task = 1; task <= tasks; task++)
    for (const length of lengths) {
      const found = await rowsOf(folder, join(`qa${task}`, `${length}.json`));
      for (const { input, question, target } of found.slice(-rows))
        lines.push(JSON.stringify({ context: input.trim(), question, answer: target }));
    }
  return lines.join('\n');
}

/** The published samples of a task (`qa1`) and length (`0k`, `1k`, …), in the order of their file. @throws InputError */
export const storedSamples = (folder: string, task: string, length: string) =>
  rowsOf(folder, join(task, `${length}.json`));

async function rowsOf(folder: string, name: string): Promise<z.infer<typeof rowsSchema>> {
  const path = [join(folder, name), join(folder, 'data', name)].find((one) => existsSync(one));
  if (!path)
    throw new InputError(`${join(folder, name)} cannot be found: give the folder of RMT-team/babilong-1k-samples.`);
  try {
    return rowsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    throw new InputError(`${path} is not a list of rows with input, question and target.`);
  }
}
