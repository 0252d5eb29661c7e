import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { tokenizerFiles } from './choice';

/** Files of tokenizers that hold the same in another form. */
const OTHER_FORMS = ['vocab.json', 'merges.txt', 'tokenizer.model', 'vocab.txt', 'spiece.model'];

/** That a model has no tokenizer that can be read, what lies in its place, and what to do; without the full stop. */
export function tokenizerMissing(model: string, folder: string): string {
  const others = OTHER_FORMS.filter((name) => existsSync(join(/* turbopackIgnore: true */ folder, name)));
  const instead = others.length > 0 ? ` (its ${others.join(' and ')} cannot be read by itself)` : '';
  const make = others.length > 0 ? folder : 'NAME OF ITS TOKENIZER';
  return `The model ${model} has no tokenizer.json${instead}; name another model's or a file with --tokenizer, or make one in Python: from transformers import AutoTokenizer; AutoTokenizer.from_pretrained("${make}").save_pretrained("${folder}")`;
}

/** What is to be said behind an id of a text that the model has no row for; empty without a tokenizer. */
export function foreignTokenizer(path: string | undefined): string {
  if (path === undefined) return '';
  return `; its tokenizer (${tokenizerFiles(path)}) is of another model: name the right one with --tokenizer, or give token ids with --ids`;
}
