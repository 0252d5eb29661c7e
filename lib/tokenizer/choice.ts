/** Which tokenizer reads a model's text: one that is asked for, its own, or the bundled one where the vocabulary fits. */

import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Where a tokenizer comes from: the model's folder, somebody's choice, or the bundled one in place of one that is missing. */
export type TokenizerSource = 'model' | 'chosen' | 'fallback';

export interface TokenizerChoice {
  /** How outputs call it: its file, the bundled one's name, or the name of the model that it belongs to. */
  readonly name: string;
  readonly source: TokenizerSource;
  /** What `loadTokenizer` reads. */
  readonly path: string;
}

/** The bundled tokenizer. Models trained with it have as many rows of the vocabulary as its ids, or padded ones. */
export const BUNDLED = { name: 'gpt-neox-20b', ids: 50277, rows: [50254, 50432] } as const;

/** @param root the folder that holds `tokenizers/` */
export const bundledTokenizer = (root: string): string => join(root, 'tokenizers', `${BUNDLED.name}.tokenizer.json.gz`);

/** The two files in which GPT-2 and GPT-NeoX kept their vocabulary before tokenizer.json. */
export const SLOW_FILES = ['vocab.json', 'merges.txt'] as const;

/** The file of a folder's own tokenizer: tokenizer.json, or vocab.json with merges.txt beside it. */
export function ownTokenizer(folder: string): string | undefined {
  const file = join(folder, 'tokenizer.json');
  if (existsSync(file)) return file;
  const slow = SLOW_FILES.map((name) => join(/* turbopackIgnore: true */ folder, name));
  return slow.every(existsSync) ? slow[0] : undefined;
}

/** How the file of a tokenizer is called, or both of its files. */
export const tokenizerFiles = (path: string): string =>
  basename(path) === SLOW_FILES[0] ? SLOW_FILES.join(' + ') : basename(path);

/**
 * The tokenizer of a folder, or the bundled one where the folder has none and the model's vocabulary fits; undefined where
 * that does not either.
 * @param rows of the model's embedding
 */
export function tokenizerFor(folder: string, rows: number, root: string): TokenizerChoice | undefined {
  const own = ownTokenizer(folder);
  if (own) return { name: tokenizerFiles(own), source: 'model', path: own };
  const [least, most] = BUNDLED.rows;
  if (rows < least || rows > most) return undefined;
  return { name: BUNDLED.name, source: 'fallback', path: bundledTokenizer(root) };
}

/** Where a tokenizer that is asked for is looked for. */
export interface TokenizerPlaces {
  /** The folder that holds `tokenizers/`. */
  readonly root: string;
  /** The file or folder that a text names; undefined or an error where it may not be read. */
  pathOf(wanted: string): string | undefined;
  /** The folder of the model of this name. */
  modelNamed(name: string): Promise<string | undefined>;
}

/** What may be asked for, for sentences that say that something is not. */
export const TOKENIZER_NAMES = `a tokenizer.json, a vocab.json with merges.txt beside it, a folder with either, a model that has one, or ${BUNDLED.name}`;

/**
 * A tokenizer by what it is called: the bundled one by its name, a file, a folder, or a model's by the name that `models` lists;
 * undefined where it is none of these.
 */
export async function chosenTokenizer(
  wanted: string,
  { root, pathOf, modelNamed }: TokenizerPlaces,
): Promise<TokenizerChoice | undefined> {
  const chosen = (path: string, name: string): TokenizerChoice => ({ name, source: 'chosen', path });
  if (wanted === BUNDLED.name) return chosen(bundledTokenizer(root), wanted);
  const path = pathOf(wanted);
  const found = path === undefined ? undefined : statSync(/* turbopackIgnore: true */ path, { throwIfNoEntry: false });
  if (path !== undefined && found?.isFile()) return chosen(path, basename(path));
  const folder = found ? path : await modelNamed(wanted);
  const own = folder && ownTokenizer(folder);
  return own ? chosen(own, wanted) : undefined;
}

/** What is said once of a model that is read with the bundled tokenizer. */
export const fallbackNote = (model: string): string =>
  `${model} has no tokenizer of its own: text is read and tokens are written with GPT-NeoX's (${BUNDLED.name}), which fits its vocabulary`;

/** As one text, for metadata of files: `tokenizer.json`, `gpt-neox-20b (fallback)`. */
export const tokenizerLabel = ({ name, source }: Pick<TokenizerChoice, 'name' | 'source'>): string =>
  source === 'model' ? name : `${name} (${source})`;
