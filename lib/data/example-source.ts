import { readFile } from 'node:fs/promises';
import type { SnrExample } from '@/lib/analysis';
import { type Checkpoint, InputError } from '@/lib/checkpoint';
import { babilongLines, isBabilong } from '@/lib/data/babilong';
import { demoLines } from '@/lib/data/demo-stories';
import { parseSnrExamples, type ReadingOptions, readerOf } from '@/lib/data/snr-examples';
import { storyLines } from '@/lib/data/story-examples';
import { loadTokenizer, tokenizerMissing } from '@/lib/tokenizer';

/**
 * The prompts of `--examples`: a file of JSON lines, `demo:n` for n held-out stories of the demo task, `stories:n` for n of those that the
 * bundled stories pair is asked about, or rows of BABILong as
 * `babilong-paper:FOLDER` or `babilong-script:FOLDER`.
 * @throws InputError
 */
export async function readExamples(
  { examples, seed }: { readonly examples: string; readonly seed: number },
  checkpoint: Checkpoint,
): Promise<SnrExample[]> {
  const { text, name } = await exampleText(examples, seed);
  return parseExamples(text, name, checkpoint);
}

/** The same as JSON lines, with what they are called in a sentence. @throws InputError where a file cannot be read. */
export async function exampleText(examples: string, seed: number): Promise<{ text: string; name: string }> {
  const demo = demoLines(examples, seed);
  if (demo !== undefined) return { text: demo, name: 'the demo task' };
  const stories = await storyLines(examples);
  if (stories !== undefined) return { text: stories, name: 'the stories' };
  if (isBabilong(examples)) return { text: await babilongLines(examples), name: examples };
  const text = await readFile(examples, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The examples ${examples} cannot be read (${cause.code ?? cause.message}).`);
  });
  return { text, name: examples };
}

/** JSON lines as a model reads them. @throws InputError naming the line. */
export function parseExamples(
  text: string,
  source: string,
  checkpoint: Checkpoint,
  options: Pick<ReadingOptions, 'pairs'> = {},
): Promise<SnrExample[]> {
  const { tokenizerPath, name, path } = checkpoint;
  const reader = async () => {
    if (tokenizerPath) return readerOf(await loadTokenizer(tokenizerPath));
    throw new InputError(`${tokenizerMissing(name, path)}; or give its examples as tokens.`);
  };
  return parseSnrExamples(text, source, remembered(reader), options);
}

function remembered<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
