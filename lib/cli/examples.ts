import { readFile } from 'node:fs/promises';
import type { SnrExample } from '@/lib/analysis';
import { type Checkpoint, InputError } from '@/lib/checkpoint';
import { parseSnrExamples } from '@/lib/data/snr-examples';
import { loadTokenizer } from '@/lib/tokenizer';
import { heldOutExamples } from '@/lib/training';
import { wholeNumber } from './parse';

/** Sentences of a generated story. */
const STORY = [2, 12] as const;

/**
 * The prompts of `--examples`: a file of JSON lines, or `demo:n` for n held-out stories of the demo task.
 * @throws InputError
 */
export async function readExamples(
  { examples, seed }: { readonly examples: string; readonly seed: number },
  checkpoint: Checkpoint,
): Promise<SnrExample[]> {
  const { tokenizerPath, name } = checkpoint;
  const tokenizer = () => {
    if (tokenizerPath) return loadTokenizer(tokenizerPath);
    throw new InputError(`The model ${name} has no tokenizer.json: give its examples as tokens.`);
  };
  const once = remembered(tokenizer);
  const demo = /^demo:(\d+)$/.exec(examples);
  if (demo) {
    const stories = heldOutExamples(seed, wholeNumber('--examples demo:', 1)(demo[1]), STORY);
    return parseSnrExamples(stories.map((story) => JSON.stringify(story)).join('\n'), 'the demo task', once);
  }
  const text = await readFile(examples, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The examples ${examples} cannot be read (${cause.code}).`);
  });
  return parseSnrExamples(text, examples, once);
}

function remembered<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
