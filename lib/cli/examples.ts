import { readFile } from 'node:fs/promises';
import type { SnrExample } from '@/lib/analysis';
import { type Checkpoint, InputError } from '@/lib/checkpoint';
import { babilongLines, isBabilong } from '@/lib/data/babilong';
import { demoLines } from '@/lib/data/demo-stories';
import { parseSnrExamples, readerOf } from '@/lib/data/snr-examples';
import { loadTokenizer, tokenizerMissing } from '@/lib/tokenizer';

/**
 * The prompts of `--examples`: a file of JSON lines, `demo:n` for n held-out stories of the demo task, or rows of BABILong as
 * `babilong-paper:FOLDER` or `babilong-script:FOLDER`.
 * @throws InputError
 */
export async function readExamples(
  { examples, seed }: { readonly examples: string; readonly seed: number },
  checkpoint: Checkpoint,
): Promise<SnrExample[]> {
  const { tokenizerPath, name, path } = checkpoint;
  const reader = async () => {
    if (tokenizerPath) return readerOf(await loadTokenizer(tokenizerPath));
    throw new InputError(`${tokenizerMissing(name, path)}; or give its examples as tokens.`);
  };
  const once = remembered(reader);
  const demo = demoLines(examples, seed);
  if (demo !== undefined) return parseSnrExamples(demo, 'the demo task', once);
  if (isBabilong(examples)) return parseSnrExamples(await babilongLines(examples), examples, once);
  const text = await readFile(examples, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The examples ${examples} cannot be read (${cause.code ?? cause.message}).`);
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
