/** Which tokenizer reads a checkpoint's text. */

import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { type Checkpoint, defaultRoots, findModels, InputError, type ModelConfig } from '@/lib/checkpoint';
import {
  BUNDLED,
  bundledTokenizer,
  fallbackNote,
  loadTokenizer,
  ownTokenizer,
  type TokenizerChoice,
  tokenizerFor,
} from '@/lib/tokenizer';

/** A checkpoint with the tokenizer that reads its text; null where there is none. */
export interface ReadableCheckpoint extends Checkpoint {
  readonly tokenizer: TokenizerChoice | null;
}

/**
 * A tokenizer by what it is called: the bundled one by its name, a file, a folder, or a model's by the name that `models` lists.
 * @throws InputError where there is none of these
 */
async function chosenTokenizer(wanted: string, root: string): Promise<TokenizerChoice> {
  const chosen = (path: string, name: string): TokenizerChoice => ({ name, source: 'chosen', path });
  if (wanted === BUNDLED.name) return chosen(bundledTokenizer(root), wanted);
  const isFile = existsSync(wanted) && statSync(wanted).isFile();
  if (isFile) return chosen(wanted, basename(wanted));
  const folder = existsSync(wanted)
    ? wanted
    : (await findModels(defaultRoots(root))).find(({ name }) => name === wanted)?.path;
  const own = folder && ownTokenizer(folder);
  if (own) return chosen(own, wanted);
  throw new InputError(
    `--tokenizer ${JSON.stringify(wanted)} is no tokenizer: give a tokenizer.json, a vocab.json with merges.txt beside it, a folder with either, a model that has one, or ${BUNDLED.name}.`,
  );
}

/** Rows of the embedding beyond the tokenizer's ids are padding. */
const limited = (config: ModelConfig, ids: number): ModelConfig => ({
  ...config,
  vocabulary: Math.min(config.V, ids),
});

export interface ReadingOptions {
  /** In place of the checkpoint's own: what {@link chosenTokenizer} finds. */
  readonly tokenizer?: string;
  /** Told where the bundled tokenizer takes the place of one that is missing. */
  readonly onNote?: (note: string) => void;
}

/**
 * The checkpoint with the tokenizer that is asked for, its own, or the bundled one where its vocabulary fits.
 * @param root the folder that holds `models/` and `tokenizers/`
 * @throws InputError
 */
export async function readable(
  checkpoint: Checkpoint,
  root: string,
  { tokenizer: wanted, onNote }: ReadingOptions = {},
): Promise<ReadableCheckpoint> {
  const tokenizer =
    wanted === undefined
      ? tokenizerFor(checkpoint.path, checkpoint.config.V, root)
      : await chosenTokenizer(wanted, root);
  if (!tokenizer) return { ...checkpoint, tokenizer: null };
  if (tokenizer.path === checkpoint.tokenizerPath) return { ...checkpoint, tokenizer };
  if (tokenizer.source === 'fallback') onNote?.(fallbackNote(checkpoint.name));
  const ids =
    tokenizer.path === bundledTokenizer(root) ? BUNDLED.ids : (await loadTokenizer(tokenizer.path)).vocabulary().length;
  return {
    ...checkpoint,
    config: limited(checkpoint.config, ids),
    tokenizerPath: tokenizer.path,
    tokenizer,
  };
}
