import { existsSync } from 'node:fs';
import { InputError } from '@/lib/input-error';
import { readText } from './files';
import type { ModelConfig } from './types';

/** Bytes and values of a tokenizer.json; the largest that are published have about 35 MB and a million entries. */
const LARGEST_TOKENIZER = 2 ** 27;
const MOST_ENTRIES = 2 ** 23;

/**
 * A config whose vocabulary is that of the tokenizer at `path`, where there is one that can be read: rows of the embedding
 * beyond it are padding, whatever the config counts. A broken file leaves the config's; who reads text with it is told why.
 */
export async function withTokenizer(config: ModelConfig, path: string): Promise<ModelConfig> {
  const count = existsSync(path) ? await idsOf(path) : 0;
  return count > 0 ? { ...config, vocabulary: Math.min(config.V, count) } : config;
}

interface Definition {
  readonly model?: { readonly vocab?: readonly unknown[] | Readonly<Record<string, number>> };
  readonly added_tokens?: readonly { readonly id: number }[];
}

/** One above the largest id of a tokenizer.json; 0 where it has none. */
async function idsOf(path: string): Promise<number> {
  const definition = parse(await readText(path, LARGEST_TOKENIZER, { most: MOST_ENTRIES }).catch(broken)) as
    | Definition
    | undefined;
  const vocab = definition?.model?.vocab ?? {};
  let count = Array.isArray(vocab) ? vocab.length : 0;
  const named = Array.isArray(vocab) ? [] : Object.values(vocab as Readonly<Record<string, number>>);
  for (const ids of [named, (definition?.added_tokens ?? []).map(({ id }) => id)])
    for (const id of ids) if (Number.isInteger(id)) count = Math.max(count, id + 1);
  return count;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function broken(error: unknown): string {
  if (error instanceof InputError) return '';
  throw error;
}
