import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { InputError } from '@/lib/checkpoint';
import { storiesSchema, storyTexts } from '@/lib/data/stories';
import { trainBpe } from '@/lib/tokenizer';
import type { Io } from '../io';
import { wholeNumber } from '../parse';

interface TokenizerOptions {
  readonly text?: readonly string[];
  readonly stories?: number;
  readonly size: number;
  readonly special: readonly string[];
  readonly out: string;
}

/** Trains a byte-level BPE tokenizer on text files or on the generated stories. */
export function tokenizerCommand(program: Command, io: Io): void {
  program
    .command('tokenizer')
    .description('train a byte-level BPE tokenizer')
    .option('--text <file...>', 'UTF-8 text to learn from')
    .option(
      '--stories <n>',
      'learn from so many generated stories and the text that they are hidden in',
      wholeNumber('--stories', 1),
    )
    .requiredOption('--size <n>', 'entries of the vocabulary, the 256 bytes among them', wholeNumber('--size', 1))
    .option('--special <token...>', 'special tokens, which take the first ids', ['<|endoftext|>'])
    .requiredOption('--out <file>', 'the tokenizer.json to write')
    .action(async ({ text = [], stories = 0, size, special, out }: TokenizerOptions) => {
      if (text.length === 0 && stories === 0)
        throw new InputError('There is no text to learn from: give --text FILE or --stories N.');
      const texts = await Promise.all(text.map(textOf));
      if (stories > 0) texts.push(...(await storyTexts(storiesSchema.parse({}), stories)));
      const json = `${JSON.stringify(trainBpe(texts, { vocabularySize: size, special }))}\n`;
      await writeFile(out, json);
      io.out(`a tokenizer of ${size} entries, in ${out}\n`);
    });
}

const textOf = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The text ${path} cannot be read (${cause.code ?? cause.message}).`);
  });
