import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '@/lib/input-error';
import { trainBpe } from './bpe-training';
import { parseTokenizer } from './tokenizer';

interface Case {
  readonly name: string;
  /** The texts themselves, or which of the fixture's. */
  readonly texts: readonly string[] | readonly [number, number];
  readonly vocabulary_size: number;
  readonly special: readonly string[];
  readonly merges: readonly string[];
  readonly size: number;
}

const fixture = JSON.parse(readFileSync(join(import.meta.dirname, 'testing/bpe-training.json'), 'utf8')) as {
  readonly texts: readonly string[];
  readonly cases: readonly Case[];
};

const textsOf = ({ texts }: Case): readonly string[] => {
  const [from, to] = texts;
  return typeof from === 'string' ? (texts as readonly string[]) : fixture.texts.slice(from, to as number);
};

const trained = (texts: Iterable<string>, vocabularySize: number, special: readonly string[] = []) =>
  trainBpe(texts, { vocabularySize, special }) as {
    readonly model: { readonly vocab: Readonly<Record<string, number>>; readonly merges: readonly [string, string][] };
  };

describe('trainBpe', () => {
  it.each(fixture.cases)('merges as the Python package does: $name', (one) => {
    const { model } = trained(textsOf(one), one.vocabulary_size, one.special);
    expect(model.merges.map((pair) => pair.join(' '))).toEqual(one.merges);
    const byId = Object.entries(model.vocab).sort(([, a], [, b]) => a - b);
    expect(byId.map(([, id]) => id)).toEqual(Array.from({ length: one.size }, (_, id) => id));
    expect(byId.slice(0, one.special.length).map(([spelling]) => spelling)).toEqual(one.special);
  });

  it('makes a tokenizer.json that gives every text back', () => {
    const tokenizer = parseTokenizer(JSON.stringify(trained(fixture.texts, 600, ['<|endoftext|>'])));
    expect(tokenizer.vocabSize).toBe(600);
    for (const text of fixture.texts.slice(-20)) {
      const { ids } = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(ids.length).toBeLessThanOrEqual(new TextEncoder().encode(text).length);
    }
    expect(tokenizer.encode('<|endoftext|> the').ids[0]).toBe(0);
  });

  it('says when the vocabulary has no room for the bytes', () => {
    expect(() => trained(['a'], 256, ['<s>'])).toThrow(InputError);
    expect(() => trained(['a'], 256, ['<s>'])).toThrow('ask for 257 or more');
  });
});
