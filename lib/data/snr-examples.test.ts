import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import { loadTokenizer } from '@/lib/tokenizer';
import { paperPrompt } from '@/lib/vocabulary';
import { parseSnrExamples, readerOf } from './snr-examples';

const tokenizer = () => loadTokenizer(join(process.cwd(), 'models/demo-mamba2/tokenizer.json'));
const reader = async () => readerOf(await tokenizer());
const parse = (...lines: unknown[]) =>
  parseSnrExamples(lines.map((line) => JSON.stringify(line)).join('\n'), 'x.jsonl', reader);

describe('examples from JSON lines', () => {
  it('turn prompts, answers and spans of characters into tokens', async () => {
    const prompt = 'Mary went to the garden. John went to the office. Where is Mary? Answer:';
    const [example] = await parse({ prompt, answer: 'garden', needle: [0, 24], candidates: ['garden', 'office'] });
    const words = await tokenizer();
    expect(example.tokens).toEqual(words.encode(prompt).ids);
    expect(words.tokenText(example.target)).toBe('garden');
    expect(example.candidates?.map((id) => words.tokenText(id))).toEqual(['garden', 'office']);
    const [start, end] = example.needle as [number, number];
    expect(example.tokens.slice(start, end)).toEqual(words.encode('Mary went to the garden.').ids);
    const [spans] = await parse({ prompt, answer: 'garden', needle: [2, 4], unit: 'tokens' });
    expect(spans.needle).toEqual([2, 4]);
  });

  it('read answers of several words whole, the first token as the target', async () => {
    const words = await tokenizer();
    const [several, one] = await parse(
      { prompt: 'Mary', target: 'garden kitchen' },
      { prompt: 'Mary', target: 'garden' },
    );
    expect(several.answer?.map((id) => words.tokenText(id))).toEqual(['garden', 'kitchen']);
    expect(several.target).toBe(several.answer?.[0]);
    expect(one.answer).toBeUndefined();
  });

  it('find what competes by the candidates where a line does not say it, and mark it as found', async () => {
    const prompt = 'Mary went to the garden. John went to the office. Where is Mary? Answer:';
    const line = { prompt, target: 'garden', needle: [0, 24], candidates: ['garden', 'office'] };
    const [found, said, bare] = await parse(
      line,
      { ...line, classes: { competing: [[0, 4]] } },
      { ...line, candidates: undefined },
    );
    const words = await tokenizer();
    const [start, end] = found.competing?.[0] ?? [0, 0];
    expect(found.tokens.slice(start, end)).toEqual(words.encode('John went to the office.').ids);
    expect([found.found, found.competing?.length]).toEqual([true, 1]);
    expect([said.found, said.competing]).toEqual([undefined, [[0, 1]]]);
    expect([bare.found, bare.competing]).toEqual([undefined, undefined]);
  });

  it('take tokens as they are, without a tokenizer', async () => {
    const none = async () => Promise.reject(new Error('not asked for'));
    const line = { tokens: [5, 9], target: 7, needle: [0, 1], position: 1 };
    expect(await parseSnrExamples(JSON.stringify(line), 'x', none)).toEqual([{ ...line, candidates: undefined }]);
  });

  it("compose the prompt of the paper's script", () => {
    expect(paperPrompt('A fact.', 'Where?')).toBe('<context> \nA fact.\n</context>\n\nQuestion: Where? Answer:');
  });

  it.each([
    [{ tokens: [1] }, /Line 1 of x\.jsonl is not an example: .*target or an answer/],
    [{ target: 'garden' }, /prompt, tokens, or a context/],
    [{ prompt: 'Mary', target: 'zebra' }, /does not contain "zebra"/],
    [{ prompt: 'Mary', target: 'garden', needle: [9, 12] }, /needle holds no token/],
    [{ prompt: 'Mary', target: 'garden', needle: [1] }, /needle/],
    [
      { prompt: 'Mary', target: 'garden', corupted: 'John', kind: 'one-hop' },
      /^Line 1 of x\.jsonl is not an example: examples have no field "corupted", "kind": leave it out/,
    ],
    [{ prompt: 'Mary', target: 'garden', classes: { competting: [] } }, /Line 1 of x\.jsonl .*classes.*"competting"/],
  ])('%j is refused in a sentence', async (line, message) => {
    await expect(parse(line)).rejects.toThrow(message);
    await expect(parse(line)).rejects.toThrow(InputError);
  });

  it('may begin with a byte-order mark', async () => {
    const line = JSON.stringify({ tokens: [5, 9], target: 7 });
    expect(await parseSnrExamples(`\uFEFF${line}\r\n${line}`, 'x', reader)).toHaveLength(2);
  });

  it('are refused where they are longer than is allowed', async () => {
    const lines = ['Mary went to the', 'Mary went to the garden.'].map((prompt) =>
      JSON.stringify({ prompt, target: 'garden' }),
    );
    await expect(parseSnrExamples(lines.join('\n'), 'x', reader, { maxTokens: 4 })).rejects.toThrow(
      /Line 2 of x is longer than 4 tokens/,
    );
    const ids = JSON.stringify({ tokens: [1, 2, 3, 4, 5], target: 7 });
    await expect(parseSnrExamples(ids, 'x', reader, { maxTokens: 4 })).rejects.toThrow(/longer than 4 tokens/);
  });

  it('must be there, and JSON', async () => {
    await expect(parseSnrExamples(' \n', 'x', reader)).rejects.toThrow(/holds no examples/);
    await expect(parseSnrExamples('{', 'x', reader)).rejects.toThrow(/Line 1 of x is not JSON/);
  });
});
