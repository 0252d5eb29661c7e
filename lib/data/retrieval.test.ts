import { describe, expect, it } from 'vitest';
import { Random } from '@/lib/random';
import { retrievalExample, retrievalLesson, splitOf, tokenSpan } from './retrieval';
import { ROOMS } from './vocabulary';
import { retrievalVocabulary, splitWords, wordTokenizer } from './word-tokenizer';

const examples = (count: number, sentences: number, question?: 'person' | 'object') => {
  const random = new Random(11);
  return Array.from({ length: count }, () => retrievalExample(random, { sentences, question, split: 'held-out' }));
};

/** Answers a prompt by reading it, with rules written apart from the generator. */
function solve(prompt: string): { answer: string; sentence: string } {
  const [, isThing, asked] = /Where is (the )?(\w+)\? Answer:$/.exec(prompt) ?? [];
  const story = prompt.slice(0, prompt.indexOf(' Where is')).split(/(?<=\.) /);
  const places = isThing ? ` the ${asked} in the ` : `${asked} `;
  const told = story.filter(
    (sentence) => sentence.includes(places) && ROOMS.some((room) => sentence.endsWith(` ${room}.`)),
  );
  const sentence = told[told.length - 1];
  return { answer: / (\w+)\.$/.exec(sentence)?.[1] ?? '', sentence };
}

describe('retrievalExample', () => {
  it.each(['person', 'object'] as const)('has one supporting sentence for a %s, and it is the needle', (question) => {
    for (const sentences of [2, 5, 9, 16])
      for (const example of examples(60, sentences, question)) {
        const { answer, sentence } = solve(example.prompt);
        expect(answer).toBe(example.target);
        expect(example.prompt.slice(...example.needle)).toBe(sentence);
        expect(example.candidates).toContain(example.target);
        if (question === 'person') expect(sentence).toMatch(/^\w+ \w+ the \w+\.$/);
      }
  });

  it('cannot be answered by the last place alone', () => {
    const last = examples(400, 7).filter(({ prompt, target }) => {
      const rooms = splitWords(prompt).filter(({ text }) => (ROOMS as readonly string[]).includes(text));
      return rooms[rooms.length - 1].text === target;
    });
    expect(last.length / 400).toBeLessThan(0.5);
  });

  it('uses every room as an answer about equally often', () => {
    const targets = examples(800, 7).map(({ target }) => target);
    for (const room of ROOMS)
      expect(Math.abs(targets.filter((target) => target === room).length - 800 / ROOMS.length)).toBeLessThan(50);
  });

  it('stays inside the vocabulary', () => {
    const tokenizer = wordTokenizer(retrievalVocabulary());
    for (const { prompt, target } of examples(200, 8)) expect(tokenizer.encode(`${prompt} ${target}`)).not.toContain(0);
  });

  it('is the same for the same seed', () => {
    expect(examples(5, 6)).toEqual(examples(5, 6));
  });
});

describe('retrievalLesson', () => {
  it('answers every question that it asks, from training stories only', () => {
    const random = new Random(5);
    for (let i = 0; i < 200; i++) {
      const lesson = retrievalLesson(random, { sentences: 6, questions: 3, split: 'train' });
      const cut = lesson.indexOf(' Where is');
      const story = lesson.slice(0, cut);
      const asked = lesson.slice(cut + 1).split(/(?<=Answer: \w+\.) /);
      expect(splitOf(story)).toBe('train');
      expect(asked.length).toBeGreaterThan(0);
      expect(new Set(asked).size).toBe(asked.length);
      for (const text of asked) {
        const [, question, answer] = /^(.*Answer:) (\w+)\.$/.exec(text) ?? [];
        expect(solve(`${story} ${question}`).answer).toBe(answer);
      }
    }
  });
});

describe('tokenSpan', () => {
  it('covers the words that a span of characters touches', () => {
    const text = 'Mary went home. Where?';
    expect(tokenSpan(text, [0, 4])).toEqual([0, 1]);
    expect(tokenSpan(text, [0, 15])).toEqual([0, 4]);
    expect(tokenSpan(text, [16, text.length])).toEqual([4, 6]);
  });
});
