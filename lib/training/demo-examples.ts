import { type RetrievalExample, retrievalExample } from '@/lib/data/retrieval';
import { type QuestionKind, ROOMS } from '@/lib/data/vocabulary';
import { splitWords, type WordTokenizer } from '@/lib/data/word-tokenizer';
import type { Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { TRAINING_LENGTH } from './demo-config';
import { predictions } from './evaluate';

/** An entry of the page's examples menu; spans in UTF-16 code units of the prompt. */
export interface DemoExample {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly prompt: string;
  readonly needle: readonly [number, number];
  readonly classes?: RetrievalExample['classes'];
  readonly target: string;
  readonly candidates: readonly string[];
  /** The pair that it is made for, where others are not expected to answer. */
  readonly models?: readonly [string, string];
  /** The block in which the needle raises the answer most. */
  readonly layer?: number;
}

interface Wanted {
  readonly id: string;
  readonly title: string;
  readonly question: QuestionKind;
  readonly sentences: number;
  /** What the story must be like, beyond its size. */
  readonly about: string;
  readonly suits: (example: RetrievalExample, facts: Facts) => boolean;
}

/** Where the needle stands and how often the same subject is told about. */
interface Facts {
  /** Sentences after the needle. */
  readonly after: number;
  /** Earlier sentences that give the asked person or object another room. */
  readonly outdated: number;
}

function factsOf({ prompt, needle }: RetrievalExample): Facts {
  const name = /(\w+)\? Answer:$/.exec(prompt)?.[1] ?? '';
  const story = prompt.slice(0, prompt.indexOf(' Where is'));
  const sentencesOf = (text: string) => text.split(/(?<=\.) ?/).filter(Boolean);
  const before = sentencesOf(story.slice(0, needle[0]));
  const tells = (sentence: string) => sentence.includes(name) && ROOMS.some((room) => sentence.endsWith(` ${room}.`));
  return { after: sentencesOf(story.slice(needle[1])).length, outdated: before.filter(tells).length };
}

const WANTED: readonly Wanted[] = [
  {
    id: 'person-short',
    title: 'Where is a person? Short story',
    question: 'person',
    sentences: 4,
    about: 'The needle is followed by facts about others.',
    suits: (_example, { after, outdated }) => after === 2 && outdated === 0,
  },
  {
    id: 'object-short',
    title: 'Where is an object? Short story',
    question: 'object',
    sentences: 4,
    about: 'The needle is followed by facts about others.',
    suits: (_example, { after, outdated }) => after === 2 && outdated === 0,
  },
  {
    id: 'person-early',
    title: 'Where is a person? Early needle',
    question: 'person',
    sentences: TRAINING_LENGTH,
    about: 'The needle is at the very start, every later sentence distracts.',
    suits: (_example, { after }) => after === TRAINING_LENGTH - 1,
  },
  {
    id: 'object-early',
    title: 'Where is an object? Early needle',
    question: 'object',
    sentences: TRAINING_LENGTH,
    about: 'The needle is at the very start, every later sentence distracts.',
    suits: (_example, { after }) => after === TRAINING_LENGTH - 1,
  },
  {
    id: 'person-moved',
    title: 'Where is a person? Moved twice',
    question: 'person',
    sentences: TRAINING_LENGTH,
    about: 'An earlier sentence puts the same person into another room.',
    suits: (_example, { after, outdated }) => after >= 2 && outdated === 1,
  },
  {
    id: 'object-moved',
    title: 'Where is an object? Left twice',
    question: 'object',
    sentences: TRAINING_LENGTH,
    about: 'An earlier sentence leaves the same object in another room.',
    suits: (_example, { after, outdated }) => after >= 1 && outdated === 1,
  },
  {
    id: 'person-long',
    title: 'Where is a person? Twice the training length',
    question: 'person',
    sentences: 2 * TRAINING_LENGTH,
    about: 'Twice as long as any story of the training, so a wrong answer is no surprise; the needle is in the middle.',
    suits: (_example, { after, outdated }) => after >= 4 && after <= 7 && outdated === 0,
  },
  {
    id: 'object-long',
    title: 'Where is an object? Twice the training length',
    question: 'object',
    sentences: 2 * TRAINING_LENGTH,
    about: 'Twice as long as any story of the training, so a wrong answer is no surprise; the needle is in the middle.',
    suits: (_example, { after, outdated }) => after >= 4 && after <= 7 && outdated === 0,
  },
];

const FREE_TEXT =
  'A dog barked at night. The clock struck nine. A bird sang outside. The sun was warm. A dog barked at';
const FREE_NEEDLE = 'A dog barked at night.';

/** How one prompt is told about: its size, and which of the models answer it. */
function descriptionOf(example: RetrievalExample, about: string, right: readonly string[]): string {
  const answered = right.length === 0 ? 'Neither demo model answers it.' : `Answered by ${right.join(' and ')}.`;
  return `Held-out story of ${example.sentences} sentences, ${splitWords(example.prompt).length} tokens. ${about} ${answered}`;
}

const TRIES = 400;

/**
 * Held-out prompts for the examples menu, one for each entry of the list above, and one free text with a repeated
 * phrase. Of the stories that suit an entry, the first that all models answer is taken, or the first of all where there
 * is none; the description says which models answer.
 */
export function demoExamples(models: readonly Model[], tokenizer: WordTokenizer, seed: number): DemoExample[] {
  const random = new Random(seed);
  const pair = models.map(({ name }) => name) as [string, string];
  const stories = WANTED.map(({ id, title, question, sentences, about, suits }): DemoExample => {
    const suitable = Array.from({ length: TRIES }, () =>
      retrievalExample(random, { sentences, question, split: 'held-out' }),
    )
      .filter((example) => suits(example, factsOf(example)))
      .slice(0, 8);
    const found = models.map((model) => predictions(model, tokenizer, suitable));
    const rightOn = (index: number) =>
      models.filter((_model, m) => tokenizer.words[found[m][index]] === suitable[index].target).map(({ name }) => name);
    const chosen = Math.max(
      0,
      suitable.findIndex((_example, index) => rightOn(index).length === models.length),
    );
    const { prompt, needle, classes, target, candidates } = suitable[chosen];
    return {
      id,
      title,
      description: descriptionOf(suitable[chosen], about, rightOn(chosen)),
      prompt,
      needle,
      classes,
      target,
      candidates,
      models: pair,
    };
  });
  return [
    ...stories,
    {
      id: 'free-text',
      title: 'Free text: a repeated phrase',
      description: 'No question: the last phrase began the text, and its next word can be read there.',
      prompt: FREE_TEXT,
      needle: [0, FREE_NEEDLE.length],
      target: 'night',
      candidates: ['night', 'nine', 'outside', 'warm', 'day', 'word'],
      models: pair,
    },
  ];
}
