import type { Random } from '@/lib/random';
import type { Split } from './source';
import {
  ANSWER_CUE,
  OBJECTS,
  PERSONS,
  type Person,
  QUESTIONS,
  type QuestionKind,
  ROOMS,
  type Room,
  type SentenceKind,
  TEMPLATES,
  type Thing,
} from './vocabulary';
import { splitWords } from './word-tokenizer';

/** A prompt whose next word is known, with the one sentence that says so. */
export interface RetrievalExample {
  /** Story, question and `Answer:`. */
  readonly prompt: string;
  /** The next word: a room. */
  readonly target: string;
  /** The answers to choose from, the target among them. */
  readonly candidates: readonly string[];
  /** The supporting sentence, [start, end) in UTF-16 code units of the prompt. */
  readonly needle: readonly [number, number];
  /** Sentences that name another room, and the question with its cue; spans like the needle's. */
  readonly classes: {
    readonly competing: readonly (readonly [number, number])[];
    readonly question: readonly (readonly [number, number])[];
  };
  readonly question: QuestionKind;
  readonly sentences: number;
}

export interface RetrievalOptions {
  /** Sentences of the story. */
  readonly sentences: number;
  /** Which question to ask; one of both at random if left out. */
  readonly question?: QuestionKind;
  /** `held-out`: validation or test. */
  readonly split: Split | 'held-out';
}

/** Stories are divided once and for all by their text: what is held out is never trained on. */
const HELD_OUT_ONE_IN = 16;

/** The split of a story (FNV-1a of its text): validation and test share what is held out. */
export function splitOf(story: string): Split {
  let hash = 0x811c9dc5;
  for (let i = 0; i < story.length; i++) hash = Math.imul(hash ^ story.charCodeAt(i), 0x01000193);
  const part = (hash >>> 8) % (2 * HELD_OUT_ONE_IN);
  if (part % HELD_OUT_ONE_IN !== 0) return 'train';
  return part === 0 ? 'validation' : 'test';
}

const isOf = (story: string, wanted: RetrievalOptions['split']) => {
  const split = splitOf(story);
  return wanted === 'held-out' ? split !== 'train' : split === wanted;
};

/** How often each kind of sentence is told. */
const KINDS: Readonly<Record<SentenceKind, number>> = { move: 0.44, placement: 0.36, pickup: 0.08, noise: 0.12 };

/** What a story has settled so far: the room and the sentence that said it last. */
interface Settled {
  readonly room: Room;
  readonly sentence: number;
  readonly by: SentenceKind;
}

interface World {
  readonly persons: Map<Person, Settled>;
  readonly things: Map<Thing, Settled>;
}

interface Cast {
  readonly persons: readonly Person[];
  readonly things: readonly Thing[];
}

const fill = (template: string, words: { P?: string; R?: string; O?: string }) =>
  template.replaceAll(/\{(.)\}/g, (_match, slot: 'P' | 'R' | 'O') => words[slot] ?? '');

/** Tells one sentence and notes in the world what it settles. A place that is told is always a new one. */
function tell(random: Random, cast: Cast, world: World, sentence: number): string {
  const by = random.weighted(KINDS);
  const person = random.pick(cast.persons);
  const thing = random.pick(cast.things);
  const room = random.pick(
    ROOMS.filter((name) => name !== world.persons.get(person)?.room && name !== world.things.get(thing)?.room),
  );
  if (by === 'move' || by === 'placement') world.persons.set(person, { room, sentence, by });
  if (by === 'placement') world.things.set(thing, { room, sentence, by });
  if (by === 'pickup') world.things.delete(thing);
  return fill(random.pick(TEMPLATES[by]), { P: person, R: room, O: thing });
}

/** What may be asked: persons whose place was last said by a move, objects whose place is known. */
function answerable(world: World, question: QuestionKind): { readonly name: string; readonly settled: Settled }[] {
  const settled = question === 'person' ? world.persons : world.things;
  return Array.from(settled as Map<string, Settled>, ([name, fact]) => ({ name, settled: fact })).filter(
    ({ settled: fact }) => question === 'object' || fact.by === 'move',
  );
}

/** A story and everything that may be asked about it, in random order. */
interface Story {
  readonly sentences: readonly string[];
  readonly asked: readonly { readonly name: string; readonly question: QuestionKind; readonly settled: Settled }[];
}

function tellStory(random: Random, sentences: number): Story {
  const size = Math.min(5, 1 + sentences);
  const cast: Cast = { persons: random.sample(PERSONS, size), things: random.sample(OBJECTS, size - 1) };
  const world: World = { persons: new Map(), things: new Map() };
  const told = Array.from({ length: sentences }, (_, index) => tell(random, cast, world, index));
  const persons = answerable(world, 'person').map((fact) => ({ ...fact, question: 'person' as const }));
  const things = answerable(world, 'object').map((fact) => ({ ...fact, question: 'object' as const }));
  const asked = [...persons, ...things];
  return { sentences: told, asked: random.sample(asked, asked.length) };
}

const ask = (question: QuestionKind, name: string) =>
  `${fill(QUESTIONS[question], { P: name, O: name })} ${ANSWER_CUE}`;

/**
 * Draws a story in the manner of bAbI: persons move between rooms and leave objects there, among sentences that bear on
 * nothing. For a person the answer is the room of the last move, for an object the room it was left in last; exactly
 * one sentence supports the answer, and others name the same persons, objects and rooms.
 */
export function retrievalExample(random: Random, options: RetrievalOptions): RetrievalExample {
  const question = options.question ?? random.pick(['person', 'object'] as const);
  for (;;) {
    const { sentences, asked } = tellStory(random, options.sentences);
    const chosen = asked.find((fact) => fact.question === question);
    if (!chosen || !isOf(sentences.join(' '), options.split)) continue;
    const { name, settled } = chosen;
    const spans = spansOf(sentences);
    const story = sentences.join(' ');
    const prompt = `${story} ${ask(question, name)}`;
    const others = ROOMS.filter((room) => room !== settled.room);
    return {
      prompt,
      target: settled.room,
      candidates: ROOMS,
      needle: spans[settled.sentence],
      classes: {
        competing: spans.filter(
          (_, k) =>
            k !== settled.sentence && splitWords(sentences[k]).some(({ text }) => others.includes(text as Room)),
        ),
        question: [[story.length + 1, prompt.length]],
      },
      question,
      sentences: options.sentences,
    };
  }
}

/** Where the sentences of a story lie in its text. */
function spansOf(sentences: readonly string[]): [number, number][] {
  let from = 0;
  return sentences.map(({ length }) => {
    const span: [number, number] = [from, from + length];
    from += length + 1;
    return span;
  });
}

export interface LessonOptions {
  readonly sentences: number;
  /** Asked at most; stories that settle less have fewer. */
  readonly questions: number;
  readonly split: Split;
}

/**
 * A text to learn from: a story, then up to `questions` questions about it, each with its answer. Several questions a
 * story give the trainer several answers for the cost of reading one story.
 */
export function retrievalLesson(random: Random, options: LessonOptions): string {
  for (;;) {
    const { sentences, asked } = tellStory(random, options.sentences);
    if (asked.length === 0 || !isOf(sentences.join(' '), options.split)) continue;
    const first = random.pick(['person', 'object'] as const);
    const ordered = [...asked].sort((a, b) => Number(b.question === first) - Number(a.question === first));
    const chosen = [ordered[0], ...asked.filter((fact) => fact !== ordered[0])].slice(0, options.questions);
    const answers = chosen.map(({ question, name, settled }) => `${ask(question, name)} ${settled.room}.`);
    return [...sentences, ...answers].join(' ');
  }
}

/** The tokens that overlap a span of characters, as [start, end) in tokens. */
export function tokenSpan(text: string, [start, end]: readonly [number, number]): [number, number] {
  const words = splitWords(text);
  const first = words.findIndex((word) => word.end > start);
  const after = words.findIndex((word) => word.start >= end);
  return [first < 0 ? words.length : first, after < 0 ? words.length : after];
}
