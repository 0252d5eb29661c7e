/** What tokenizer_config.json changes of a tokenizer.json, as transformers 5 has it. A chat template is never applied. */

import type { TokenizerDefinition } from './definition';

export interface TokenizerConfig {
  readonly add_bos_token?: unknown;
  readonly add_eos_token?: unknown;
  readonly bos_token?: unknown;
  readonly eos_token?: unknown;
}

/** A special token is written as its text, or as an object with it. */
function contentOf(token: unknown): string | undefined {
  const content = typeof token === 'object' && token !== null ? (token as { content?: unknown }).content : token;
  return typeof content === 'string' ? content : undefined;
}

/**
 * The definition with the tokens around a text that the config asks for: where it says `add_bos_token` or `add_eos_token`, these
 * two decide, and the template of tokenizer.json counts no more. A token that has no name is not added.
 */
export function configured(definition: TokenizerDefinition, config: TokenizerConfig): TokenizerDefinition {
  const { add_bos_token: bos, add_eos_token: eos } = config;
  if (typeof bos !== 'boolean' && typeof eos !== 'boolean') return definition;
  const idOf = (content: string): number | undefined => {
    const { vocab } = definition.model;
    const added = definition.added_tokens.find((token) => token.content === content)?.id;
    const own = Array.isArray(vocab)
      ? vocab.findIndex((entry) => entry[0] === content)
      : (vocab as Readonly<Record<string, number>> | undefined)?.[content];
    return added ?? (own === -1 ? undefined : own);
  };
  const specials = new Map<string, object>();
  const special = (adds: unknown, token: unknown): object[] => {
    const content = contentOf(token);
    const id = content === undefined ? undefined : idOf(content);
    if (adds !== true || content === undefined || id === undefined) return [];
    specials.set(content, { id: content, ids: [id], tokens: [content] });
    return [{ SpecialToken: { id: content, type_id: 0 } }];
  };
  const single = [
    ...special(bos, config.bos_token),
    { Sequence: { id: 'A', type_id: 0 } },
    ...special(eos, config.eos_token),
  ];
  const processor = { type: 'TemplateProcessing', single, pair: single, special_tokens: Object.fromEntries(specials) };
  return { ...definition, post_processor: processor };
}
