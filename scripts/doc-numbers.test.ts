import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MODELS, problems } from './docs-numbers.mjs';
import { modelsDigest, NUMBERS, numbersIn, withNumbers } from './lib/doc-numbers.mjs';

describe('the numbers of docs/analyses.md', () => {
  it('are those that were measured on the models that are there', async () => {
    expect(await problems()).toEqual([]);
    const { models, numbers } = JSON.parse(readFileSync(NUMBERS, 'utf8'));
    expect(MODELS).toEqual(['demo-mamba2', 'demo-diff-mamba2', 'stories-mamba2', 'stories-diff-mamba2']);
    expect(models).toEqual(await modelsDigest(MODELS));
    expect(Object.keys(numbers).length).toBeGreaterThan(30);
  });

  it('stand in marked places, which are written anew and compared', () => {
    const text = 'It is <!--=a-->1.0<!--/--> of <!--=b.c-->\n| 2 |\n<!--/-->.';
    expect(numbersIn(text)).toEqual([
      { name: 'a', value: '1.0' },
      { name: 'b.c', value: '\n| 2 |\n' },
    ]);
    expect(withNumbers(text, { a: '3', 'b.c': '4' })).toBe('It is <!--=a-->3<!--/--> of <!--=b.c-->4<!--/-->.');
    expect(() => withNumbers(text, { a: '3' })).toThrow(/"b\.c", which is not measured/);
  });
});
