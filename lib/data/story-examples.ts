import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '@/lib/project-root';
import { openSource } from './sources';

/** How the bundled stories pair is asked, from the root of the project. */
const QUESTIONS = 'experiments/specimens/questions.json';

const STORIES = /^stories:([1-9]\d{0,4})$/;

/**
 * `stories:n` as the first n held-out stories that end with a question of one hop, JSON lines of tokens for
 * {@link parseSnrExamples}; undefined for any other text. The needle is the move that decides. A longer batch begins with the stories of a shorter one.
 */
export async function storyLines(examples: string): Promise<string | undefined> {
  const count = Number(STORIES.exec(examples)?.[1]);
  if (Number.isNaN(count)) return undefined;
  const source = await openSource(JSON.parse(await readFile(join(projectRoot(), QUESTIONS), 'utf8')));
  const lines: string[] = [];
  for (let index = 0; lines.length < count; index++) {
    const { tokens, answers, classes: { needle = [], competing = [], question = [] } = {} } = source.row('test', index);
    const { start, end, label } = answers[answers.length - 1];
    // Who is called She or He is decided by two sentences.
    if (label !== 'one-hop' || end - start !== 1 || needle.length !== 1) continue;
    lines.push(
      JSON.stringify({
        tokens: [...tokens.subarray(0, start)],
        target: tokens[start],
        needle: needle[0],
        classes: { competing, question },
      }),
    );
  }
  return lines.join('\n');
}
