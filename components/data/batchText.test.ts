import { describe, expect, it } from 'vitest';
import { linesOf, readBatch, saysExamples } from './batchText';

describe('readBatch', () => {
  it('takes JSON lines and columns, and finds the needle in the prompt', () => {
    const text = `{"prompt": "Mary is home.", "target": "home", "needle": [0, 4]}\r\n\nJohn is out. Where? \tout\tis out.\nA b\tc\n`;
    expect(readBatch(text)).toEqual({
      examples: [
        { prompt: 'Mary is home.', target: 'home', needle: [0, 4] },
        { prompt: 'John is out. Where?', target: 'out', needle: [5, 12] },
        { prompt: 'A b', target: 'c' },
      ],
    });
  });

  it.each([
    ['', 'Paste at least one line.'],
    ['a\tb\nno answer', 'Line 2 needs a prompt, a tab and its answer (or is a JSON object).'],
    ['a b\tc\td', 'Line 1 has a needle that its prompt lacks: "d".'],
    ['{"prompt": "a"', 'Line 1 is not JSON.'],
    ['{"prompt": "a"}', 'Line 1 has no target.'],
    ['{"target": "a"}', 'Line 1 has no prompt.'],
    [
      'a\tb\n{"prompt": "a", "traget": "b"}',
      'Line 2 is not an example: examples have no field "traget": leave it out, or correct its name.',
    ],
  ])('refuses %j', (text, problem) => {
    expect(readBatch(text)).toEqual({ problem });
  });

  it('names the field that is wrong, and the line', () => {
    const read = readBatch('a\tb\n{"prompt": "a", "target": "b", "needle": [4, 2]}');
    expect(read).toEqual({ problem: expect.stringMatching(/^Line 2 is not an example: needle: /) });
    expect(readBatch('a\tb\n'.repeat(1001))).toEqual({ problem: expect.stringContaining('1001') });
  });
});

describe('linesOf', () => {
  const examples = [
    { prompt: 'Where is "Mary"?\nAnswer:', target: 'garden', needle: [0, 5] as [number, number] },
    { tokens: [4, 5], target: 7 },
  ];
  it('writes what readBatch reads back', () => {
    expect(readBatch(linesOf(examples))).toEqual({ examples });
  });

  it('knows the same examples in another notation, and others', () => {
    const [first] = [{ prompt: 'a b', target: 'c' }];
    expect(saysExamples('a b\tc\n', [first])).toBe(true);
    expect(saysExamples('a b\td\n', [first])).toBe(false);
    expect(saysExamples('', [first])).toBe(false);
  });
});
