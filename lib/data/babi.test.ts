import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '@/lib/input-error';
import { parseBabi, readBabi } from './babi';

const BABI = join(__dirname, 'testing', 'babi');

describe('parseBabi', () => {
  it('gives each question the facts before it, and the places of those that decide', () => {
    const text = [
      '1 Mary got the milk there.',
      '2 John moved to the bedroom.',
      '3 Where is the milk? \thallway\t1 2',
      '4 John got the football there.',
      '5 Where is the football?\tbedroom\t4 2',
      '1 Fred left.',
      '2 Who left?\tFred\t1',
    ].join('\r\n');
    const facts = ['Mary got the milk there.', 'John moved to the bedroom.', 'John got the football there.'];
    expect(parseBabi(text, 'qa2.txt')).toEqual([
      { facts: facts.slice(0, 2), question: 'Where is the milk? ', answer: 'hallway', supporting: [0, 1] },
      { facts, question: 'Where is the football?', answer: 'bedroom', supporting: [2, 1] },
      { facts: ['Fred left.'], question: 'Who left?', answer: 'Fred', supporting: [0] },
    ]);
  });

  it.each([
    ['Mary left.', 'Line 1 of qa.txt is not of a bAbI file'],
    ['1 Mary left.\n3 Where?\tx\t1', 'Line 2 of qa.txt has the number 3 after 1'],
    ['1 Mary left.\n2 Where?\tx', 'Line 2 of qa.txt is a question without an answer'],
    ['1 Mary left.\n2 Where?\t\t1', 'Line 2 of qa.txt is a question without an answer'],
    ['1 Mary left.\n2 Where?\tx\t4', 'Line 2 of qa.txt names facts ("4") that are not before it'],
    ['1 Mary left.\n', 'qa.txt holds no questions'],
  ])('says what is wrong with %j', (text, message) => {
    expect(() => parseBabi(text, 'qa.txt')).toThrow(InputError);
    expect(() => parseBabi(text, 'qa.txt')).toThrow(message);
  });
});

describe('readBabi', () => {
  it.each([
    ['qa1', 1],
    ['qa2', 2],
    ['qa3', 3],
    ['qa4', 1],
    ['qa5', 1],
  ])('reads 1,000 questions of %s, each with %i supporting facts', (task, supporting) => {
    const { questions } = readBabi(BABI, task, 'test');
    expect(questions.length).toBe(1000);
    // Of qa5, some questions name more than one.
    const counts = questions.map((question) => question.supporting.length);
    expect(Math.min(...counts)).toBe(supporting);
    if (task !== 'qa5') expect(Math.max(...counts)).toBe(supporting);
  });

  it('names what is not there', () => {
    expect(() => readBabi(BABI, 'qa7', 'test')).toThrow('holds no qa7_…_test.txt');
    expect(() => readBabi(join(mkdtempSync(join(tmpdir(), 'babi-')), 'none'), 'qa1', 'test')).toThrow('ENOENT');
  });
});
