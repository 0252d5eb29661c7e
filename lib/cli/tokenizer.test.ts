import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from '@/lib/tokenizer';
import { outcomeOf } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'statescope-tokenizer-'));
const file = (name: string) => join(folder, name);

afterAll(() => rmSync(folder, { recursive: true }));

describe('tokenizer', () => {
  it('learns from text files', async () => {
    writeFileSync(file('a.txt'), 'low lower lowest '.repeat(20));
    writeFileSync(file('b.txt'), 'new newer newest '.repeat(10));
    const args = ['tokenizer', '--text', file('a.txt'), file('b.txt'), '--size', '270', '--special', '<s>', '</s>'];
    expect(await outcomeOf(...args, '--out', file('t.json'))).toMatchObject({ code: 0 });
    const tokenizer = await loadTokenizer(file('t.json'));
    expect(tokenizer.vocabSize).toBe(270);
    expect(tokenizer.encode('<s> low</s>').ids).toHaveLength(3);
  });

  it('makes the tokenizer of the specimens again', async () => {
    const outcome = await outcomeOf('tokenizer', '--stories', '4000', '--size', '1024', '--out', file('stories.json'));
    expect(outcome).toMatchObject({ code: 0 });
    const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
    expect(read(file('stories.json'))).toEqual(read('experiments/specimens/tokenizer.json'));
  });

  it.each([
    [['--size', '300'], '--text FILE or --stories N'],
    [['--size', '100', '--text', 'package.json'], 'no room for the 256 bytes'],
    [['--size', '300', '--text', 'nowhere.txt'], 'cannot be read'],
  ])('says what is wrong with %j', async (args, message) => {
    const { code, err } = await outcomeOf('tokenizer', ...args, '--out', file('no.json'));
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
