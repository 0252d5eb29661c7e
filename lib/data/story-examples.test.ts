import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '@/lib/tokenizer';
import { exampleText } from './example-source';
import { openSource } from './sources';

const linesOf = async (examples: string) =>
  (await exampleText(examples, 0)).text.split('\n').map((line) => JSON.parse(line));

describe('stories:n', () => {
  it('asks as the questions of the specimens do', async () => {
    const source = await openSource(JSON.parse(readFileSync('experiments/specimens/questions.json', 'utf8')));
    const rows = Array.from({ length: 60 }, (_, index) => [...source.row('test', index).tokens].join());
    for (const { tokens, target } of await linesOf('stories:8'))
      expect(rows.some((row) => row.startsWith([...tokens, target].join()))).toBe(true);
  });

  it('is held-out questions of one hop whose needle names the person and the room', async () => {
    const lines = await linesOf('stories:5');
    expect(lines).toHaveLength(5);
    const tokenizer = await loadTokenizer('experiments/specimens/tokenizer.json');
    const text = (ids: readonly number[]) => tokenizer.decode(Int32Array.from(ids));
    for (const { tokens, target, needle, classes } of lines) {
      const [, person] = /Where is (\w+)/.exec(text(tokens.slice(...classes.question[0]))) as RegExpExecArray;
      const fact = text(tokens.slice(...needle));
      expect(fact).toContain(text([target]).trim());
      expect(fact).toMatch(new RegExp(`${person}|She|He`));
      expect(text(tokens)).toMatch(/answer is:$/);
      expect(classes.competing.length).toBeGreaterThan(0);
    }
  });

  it('begins with a shorter batch', async () => {
    expect((await linesOf('stories:4')).slice(0, 2)).toEqual(await linesOf('stories:2'));
  });
});
