import type { Checkpoint } from '@/lib/checkpoint';
import { loadTokenizer } from '@/lib/tokenizer';

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
