/** Which tokenizer reads a checkpoint's text. */

import { type Checkpoint, defaultRoots, findModels, InputError } from '@/lib/checkpoint';
import {
  BUNDLED,
  bundledTokenizer,
  chosenTokenizer,
  fallbackNote,
  loadTokenizer,
  TOKENIZER_NAMES,
  type TokenizerChoice,
  tokenizerFor,
} from '@/lib/tokenizer';

/** A checkpoint with the tokenizer that reads its text; null where there is none. */
export interface ReadableCheckpoint extends Checkpoint {
  readonly tokenizer: TokenizerChoice | null;
}

/**
 * The checkpoint, read with a tokenizer: rows of its embedding beyond the tokenizer's ids are padding.
 * @param root the folder that holds `tokenizers/`
 */
export async function readWith(checkpoint: Checkpoint, { path }: TokenizerChoice, root: string): Promise<Checkpoint> {
  if (path === checkpoint.tokenizerPath) return checkpoint;
  const { config } = checkpoint;
  const ids = path === bundledTokenizer(root) ? BUNDLED.ids : (await loadTokenizer(path)).vocabulary().length;
  return { ...checkpoint, config: { ...config, vocabulary: Math.min(config.V, ids) }, tokenizerPath: path };
}

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
      : await chosenTokenizer(wanted, {
          root,
          pathOf: (path) => path,
          modelNamed: async (name) => (await findModels(defaultRoots(root))).find((model) => model.name === name)?.path,
        });
  if (!tokenizer && wanted !== undefined)
    throw new InputError(`--tokenizer ${JSON.stringify(wanted)} is no tokenizer: give ${TOKENIZER_NAMES}.`);
  if (!tokenizer) return { ...checkpoint, tokenizer: null };
  if (tokenizer.source === 'fallback') onNote?.(fallbackNote(checkpoint.name));
  return { ...(await readWith(checkpoint, tokenizer, root)), tokenizer };
}
