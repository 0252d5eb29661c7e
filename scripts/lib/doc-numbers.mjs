import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './root.mjs';

/** Where numbers are kept, and the text that has them. */
export const NUMBERS = join(ROOT, 'docs', 'numbers.json');
export const TEXT = join(ROOT, 'docs', 'analyses.md');

const MARK = /<!--=([\w.]+)-->([\s\S]*?)<!--\/-->/g;

/** The marked places of a text. */
export const numbersIn = (text) => [...text.matchAll(MARK)].map(([, name, value]) => ({ name, value }));

/** The text with these numbers in their places. @throws for a place whose number nobody measures */
export const withNumbers = (text, numbers) =>
  text.replace(MARK, (_, name) => {
    if (numbers[name] === undefined)
      throw new Error(`docs/analyses.md has a place for "${name}", which is not measured.`);
    return `<!--=${name}-->${numbers[name]}<!--/-->`;
  });

/** SHA-256 of what decides the models' numbers. */
export async function modelsDigest(names) {
  const entries = [];
  for (const name of names)
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) {
      const bytes = await readFile(join(ROOT, 'models', name, file));
      entries.push([`${name}/${file}`, createHash('sha256').update(bytes).digest('hex')]);
    }
  return Object.fromEntries(entries);
}
