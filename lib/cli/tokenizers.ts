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
import type { Io } from './io';

/** A checkpoint with the tokenizer that reads its text; null where there is none. */
export interface ReadableCheckpoint extends Checkpoint {
  readonly tokenizer: TokenizerChoice | null;
}

/** A token for people and programs; no text without a tokenizer. */
export interface NamedToken {
  readonly id: number;
  readonly text: string | null;
}

/** How ids are named under a checkpoint's tokenizer. */
export async function namerOf({
  tokenizerPath,
}: Pick<Checkpoint, 'tokenizerPath'>): Promise<(id: number) => NamedToken> {
  const tokenizer = tokenizerPath ? await loadTokenizer(tokenizerPath) : undefined;
  return (id) => ({ id, text: tokenizer?.tokenText(id) ?? null });
}

/** `17 " kitchen"`, or the id alone. */
export const showToken = ({ id, text }: NamedToken): string =>
  text === null ? String(id) : `${id} ${JSON.stringify(text)}`;

/**
 * The tokenizer of `--tokenizer`: the bundled one by its name, a file, a folder, or a model's by the name that `models` lists.
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

/** The checkpoint with the tokenizer that `--tokenizer` names, its own, or the bundled one. @throws InputError */
export async function withTokenizer(
  checkpoint: Checkpoint,
  wanted: string | undefined,
  root: string,
  io: Io,
): Promise<ReadableCheckpoint> {
  const tokenizer =
    wanted === undefined
      ? tokenizerFor(checkpoint.path, checkpoint.config.V, root)
      : await chosenTokenizer(wanted, root);
  if (!tokenizer) return { ...checkpoint, tokenizer: null };
  if (tokenizer.path === checkpoint.tokenizerPath) return { ...checkpoint, tokenizer };
  if (tokenizer.source === 'fallback') io.err(`${fallbackNote(checkpoint.name)}; --tokenizer takes another\n`);
  const ids =
    tokenizer.path === bundledTokenizer(root) ? BUNDLED.ids : (await loadTokenizer(tokenizer.path)).vocabulary().length;
  return {
    ...checkpoint,
    config: limited(checkpoint.config, ids),
    tokenizerPath: tokenizer.path,
    tokenizer,
  };
}
