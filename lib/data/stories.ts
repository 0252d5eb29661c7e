import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Span } from '@/lib/analysis/span';
import { InputError } from '@/lib/input-error';
import { Random } from '@/lib/random';
import { parseTokenizer } from '@/lib/tokenizer';
import { loadBackground, projectPath } from './background';
import { type AnswerSpan, type DataSource, type Row, SPLITS, type Split } from './source';
import {
  CUES,
  ECHOES,
  GAP_WORDS,
  LONGEST_MANNER,
  MOST_MANNERS,
  MOST_QUALITIES,
  MOVES,
  mannersOf,
  OBJECTS,
  PERSONS,
  PRONOUNS,
  QUALITIES,
  ROOMS,
  STAYED,
  TAKES,
  THERE,
  WHERE,
  WHO,
} from './story-words';

const share = z.number().min(0).max(1);

const range = (number: z.ZodNumber) =>
  z.tuple([number, number]).refine(([fewest, most]) => fewest <= most, 'the first number must not be above the second');

const upTo = (most: number, least = 0) => range(z.int().min(least).max(most));

const SHORTEST_ROW = 96;

export const storiesSchema = z.strictObject({
  seed: z.int().default(0),
  /** A tokenizer.json and a book (gzip) to hide the facts in; paths that are not absolute start at the project. */
  tokenizer: z.string().default('experiments/specimens/tokenizer.json'),
  background: z.string().default('experiments/specimens/book.txt.gz'),
  /** Tokens of a row, at most; its last one is an answer. */
  length: z.int().min(SHORTEST_ROW).default(256),
  /** Persons and objects of a row; like every range here drawn anew for each. */
  persons: upTo(PERSONS.length, 2).default([4, 6]),
  objects: upTo(OBJECTS.length).default([2, 4]),
  /** Which questions are asked: the higher, the further the read-out is from the name (`CUES`); drawn for each question. */
  cue: upTo(CUES.length - 1).default([0, CUES.length - 1]),
  /** Words of manner between the name that is asked for and the rest of the question; drawn for each question. */
  pause: upTo(MOST_MANNERS).default([0, 4]),
  /** Share of facts that name their person again, behind the room or object: an answer labelled `echo`, to be had from the sentence alone. */
  echoes: share.default(0),
  /** Share of moves that name their room again, as many words of manner later as a gap has: an answer labelled `again`. */
  again: share.default(0),
  /** Share of facts about the woman or man whom the story named last, who is only called She or He. */
  pronouns: share.default(0),
  /** Share of moves, but those of She and He, that name the room first and the person last. */
  inverted: share.default(0),
  /** Share of facts in which somebody takes something instead of going somewhere. */
  takes: share.default(0.35),
  /** Words between a person and the room or object of a fact, beyond verb and article; drawn for each fact. */
  gap: upTo(GAP_WORDS).default([0, GAP_WORDS]),
  /** Share of book text among the sentences. */
  noise: range(share).default([0, 0.5]),
  /** Chance that a fact is followed by questions, one to three; every row ends with one in any case. */
  questions: range(share).default([0, 0.3]),
  /** Share of questions on the way that may ask what an answer has told already, which another one can be copied from. */
  repeats: share.default(0),
  /** Share of questions that take two hops, where both kinds can be asked. */
  two_hops: share.default(0.5),
  /** Share of questions on the way that ask who has an object, which is the first hop of two alone: an answer labelled `holder`. */
  holders: share.default(0),
});

export type StoriesOptions = z.infer<typeof storiesSchema>;

const HELD_OUT_ONE_IN = 16;

/** The split of a story by its facts alone (FNV-1a of their text), whatever stands between them. */
export function splitOfFacts(facts: readonly string[]): Split {
  let hash = 0x811c9dc5;
  for (const character of facts.join('')) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  const part = (hash >>> 8) % HELD_OUT_ONE_IN;
  return part === 0 ? 'validation' : part === 1 ? 'test' : 'train';
}

type Person = (typeof PERSONS)[number];

/** Somebody is in a room, or holds an object, from this sentence on. */
interface Fact {
  readonly text: string;
  readonly person: Person;
  readonly about: string;
  /** Person or room, where it is named again. */
  readonly echo?: string;
}

/** A question, up to its answer. */
interface Question {
  readonly text: string;
  readonly label: 'one-hop' | 'two-hop' | 'holder';
  /** Whom it comes down to. */
  readonly person: Person;
  readonly answer: string;
  /** What decides the answer: where the person is, and for two hops who holds the object. */
  readonly needle: readonly Fact[];
}

/** So many words of manner, in phrases of random length. */
function manners(random: Random, words: number): string[] {
  const phrases: string[] = [];
  for (let left = words; left > 0; ) {
    const length = random.integer(1, Math.min(left, LONGEST_MANNER));
    phrases.push(random.pick(mannersOf(length)));
    left -= length;
  }
  return phrases;
}

/** What a story has said so far, and how it goes on. */
class Story {
  private readonly places = new Map<string, Fact>();
  private readonly holders = new Map<string, Fact>();
  /** Persons and objects whose present room, and objects whose present holder, stands in an answer already. */
  private readonly told = new Set<string>();
  /** Whom She and He stand for. */
  private readonly named = new Map<string, Person>();
  private readonly persons: readonly Person[];
  private readonly objects: readonly string[];

  constructor(
    private readonly random: Random,
    private readonly options: StoriesOptions,
  ) {
    this.persons = random.sample(PERSONS, random.integer(...options.persons));
    this.objects = random.sample(OBJECTS, random.integer(...options.objects));
  }

  /** Somebody moves to another room, or takes what nobody or somebody else has. */
  tell(): Fact {
    const takes = this.objects.length > 0 && this.places.size > 0 && this.random.uniform() < this.options.takes;
    return takes ? this.take() : this.move();
  }

  private move(): Fact {
    const { random } = this;
    // Where few are in a room, the last who entered one is the answer too often.
    const absent = this.persons.filter((name) => !this.places.has(name));
    const again = this.again(this.persons);
    const person = again ?? random.pick(absent.length > 0 && random.uniform() < 0.5 ? absent : this.persons);
    const room = random.pick(ROOMS.filter((name) => name !== this.places.get(person)?.about));
    const fact = this.say(person, random.pick(MOVES), room, true, again && PRONOUNS[person]);
    this.places.set(person, fact);
    this.told.delete(person);
    for (const { about, person: holder } of this.holders.values()) if (holder === person) this.told.delete(about);
    return fact;
  }

  private take(): Fact {
    const object = this.random.pick(this.objects);
    const holder = this.holders.get(object)?.person;
    const others = this.persons.filter((name) => name !== holder);
    const again = this.again(others);
    const person = again ?? this.random.pick(others);
    const fact = this.say(person, this.random.pick(TAKES), object, false, again && PRONOUNS[again]);
    this.holders.set(object, fact);
    this.told.delete(object);
    this.told.delete(WHO + object);
    return fact;
  }

  private name(person: Person): void {
    this.named.set(PRONOUNS[person], person);
  }

  /** Who is only called She or He in the next fact, and may be one of `persons`. */
  private again(persons: readonly Person[]): Person | undefined {
    const { random, options } = this;
    if (options.pronouns === 0 || random.uniform() >= options.pronouns) return undefined;
    const known = [...this.named.values()].filter((name) => persons.includes(name));
    return known.length > 0 ? random.pick(known) : undefined;
  }

  private say(person: Person, verb: string, about: string, isMove: boolean, subject: string = person): Fact {
    const { random } = this;
    const words = random.integer(...this.options.gap);
    const qualities = random.integer(Math.max(0, words - MOST_MANNERS), Math.min(words, MOST_QUALITIES));
    const between = manners(random, words - qualities);
    const thing = ['the', ...random.sample(QUALITIES, qualities), about];
    this.name(person);
    const { inverted } = this.options;
    const isInverted = inverted > 0 && isMove && subject === person && random.uniform() < inverted;
    const parts = isInverted ? ['In', ...thing, ...between, THERE, person] : [subject, ...between, verb, ...thing];
    const fact = (tail: string, echo?: string): Fact => ({
      text: ` ${parts.join(' ')}${tail}.`,
      person,
      about,
      echo,
    });
    const { again, echoes, gap } = this.options;
    const named = isInverted ? Math.max(again, echoes) : again;
    if (named > 0 && isMove && random.uniform() < named) {
      const tail = manners(random, isInverted ? 0 : Math.min(random.integer(...gap), MOST_MANNERS));
      return fact(` ${[...tail, STAYED, about].join(' ')}`, about);
    }
    if (isInverted) return fact('');
    return random.uniform() < echoes ? fact(random.pick(ECHOES).replace('{}', person), person) : fact('');
  }

  private mayRepeat(): boolean {
    const { repeats } = this.options;
    return repeats > 0 && this.random.uniform() < repeats;
  }

  /** A question that the story answers, of another person than the `asked` ones; nothing where there is none. */
  ask(asked: readonly string[] = []): Question | undefined {
    const { random } = this;
    const repeats = this.mayRepeat();
    const places = [...this.places.values()].filter(({ person }) => !asked.includes(person));
    const untold = repeats ? places : places.filter(({ person }) => !this.told.has(person));
    const holders = [...this.holders.values()].filter(
      ({ person, about }) => places.some((place) => place.person === person) && !this.told.has(about),
    );
    const { two_hops: share } = this.options;
    const two = holders.length > 0 && random.uniform() < (untold.length === 0 && share > 0 ? 1 : share);
    if (!two && untold.length === 0) return undefined;
    const last = random.pick(two ? holders : untold);
    const place = this.places.get(last.person) as Fact;
    this.told.add(two ? last.about : last.person);
    if (!two) this.name(last.person);
    return {
      text: this.words(two ? `the ${last.about}` : last.person),
      label: two ? 'two-hop' : 'one-hop',
      person: last.person,
      answer: place.about,
      needle: two ? [last, place] : [place],
    };
  }

  /** A question who has an object; nothing where nobody has any. */
  askHolder(): Question | undefined {
    const { random, told } = this;
    const repeats = this.mayRepeat();
    const untold = [...this.holders.values()].filter(({ about }) => repeats || !told.has(WHO + about));
    if (untold.length === 0) return undefined;
    const fact = random.pick(untold);
    told.add(WHO + fact.about);
    this.name(fact.person);
    const text = this.words(`the ${fact.about}`).replace(WHERE, WHO);
    return { text, label: 'holder', person: fact.person, answer: fact.person, needle: [fact] };
  }

  private words(name: string): string {
    const { random } = this;
    const cue = CUES[random.integer(...this.options.cue)];
    return ` ${cue.replace('{}', [name, ...manners(random, random.integer(...this.options.pause))].join(' '))}`;
  }
}

/** A sentence of a row in tokens; a question has its answer and a full stop behind it. */
interface Piece {
  readonly ids: readonly number[];
  readonly fact?: Fact;
  readonly question?: Question;
  /** Which token names person or room of the fact again. */
  readonly echo?: number;
}

type Encode = (text: string) => readonly number[];

/** Tokens that a fact has beyond the words of its gap: person, verb, article, what it is about, full stop; and some to spare. */
const FACT = 8;

/** Questions that follow one another. */
const MOST_QUESTIONS = 3;

/** Sentences of at most `length` tokens together, of which the last is a question. */
function compose(random: Random, options: StoriesOptions, sentences: readonly string[], encode: Encode): Piece[] {
  const noise = random.uniform(...options.noise);
  const questions = random.uniform(...options.questions);
  const closing = encode(` ${CUES[options.cue[1]]}`).length + 2 + options.pause[1];
  const most = options.length - closing - FACT - options.gap[1];
  const story = new Story(random, options);
  const pieces: Piece[] = [];
  const told = (fact: Fact): Piece => {
    const ids = encode(fact.text);
    return { ids, fact, ...(fact.echo && { echo: ids.lastIndexOf(encode(` ${fact.echo}`)[0]) }) };
  };
  const asked = (question: Question): Piece => ({ ids: encode(`${question.text} ${question.answer}.`), question });
  let tokens = 0;
  const put = (piece: Piece) => {
    pieces.push(piece);
    tokens += piece.ids.length;
  };
  while (tokens < most) {
    if (random.uniform() < noise) {
      put({ ids: encode(` ${random.pick(sentences)}`) });
      continue;
    }
    put(told(story.tell()));
    if (random.uniform() >= questions) continue;
    const asks = random.integer(1, MOST_QUESTIONS);
    for (const persons: string[] = []; persons.length < asks && tokens < most; ) {
      const who = options.holders > 0 && random.uniform() < options.holders ? story.askHolder() : undefined;
      const question = who ?? story.ask(persons);
      if (!question) break;
      put(asked(question));
      persons.push(question.person);
    }
  }
  let last = story.ask();
  while (!last) {
    put(told(story.tell()));
    last = story.ask();
  }
  return [...pieces, asked(last)];
}

const lengthOf = (pieces: readonly Piece[]) => pieces.reduce((sum, { ids }) => sum + ids.length, 0);

/** The row of pieces, without the full stop after its last answer; the classes are those of that answer's question. */
function rowOf(pieces: readonly Piece[]): Row {
  const tokens = Int32Array.from(pieces.flatMap(({ ids }) => ids)).subarray(0, -1);
  const closing = (pieces.at(-1) as Piece).question as Question;
  const answers: AnswerSpan[] = [];
  const needle: Span[] = [];
  const competing: Span[] = [];
  let start = 0;
  for (const { ids, fact, question, echo } of pieces) {
    const end = start + ids.length;
    if (question) answers.push({ start: end - 2, end: end - 1, label: question.label });
    if (echo !== undefined) {
      const label = fact?.echo === fact?.person ? 'echo' : 'again';
      answers.push({ start: start + echo, end: start + echo + 1, label });
    }
    if (fact && closing.needle.includes(fact)) needle.push([start, end]);
    else if (question !== closing && namesAnother(fact?.about ?? question?.answer, closing.answer))
      competing.push([start, end]);
    start = end;
  }
  const asked = (pieces.at(-1) as Piece).ids.length;
  return { tokens, answers, classes: { needle, competing, question: [[start - asked, start - 2]] } };
}

const namesAnother = (named: string | undefined, room: string) => ROOMS.some((name) => name === named && name !== room);

/** Keeps the tokens of words, which come again and again; text is cut where the pre-tokenizer of byte-level BPE cuts, before a space. */
function wordwise(encode: Encode): Encode {
  const known = new Map<string, readonly number[]>();
  return (text) =>
    text.split(/(?= )/).flatMap((word) => {
      let ids = known.get(word);
      if (!ids) {
        ids = encode(word);
        known.set(word, ids);
      }
      return ids;
    });
}

/**
 * BABILong in miniature: persons move between rooms and take objects from each other, in between what a book says, and questions
 * are asked on the way. `one-hop` asks for a person, whose last move decides; `two-hop` for an object: who took it last, and
 * where that person is by now. Other facts name other rooms, persons and objects, so that none of them is the answer by itself.
 * @throws InputError where tokenizer or book cannot be read
 */
export async function storiesSource(options: StoriesOptions): Promise<DataSource> {
  const path = projectPath(options.tokenizer);
  const json = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new InputError(`The tokenizer ${path} cannot be read (${error.code}).`);
  });
  const tokenizer = parseTokenizer(json, path);
  const { sentences, sha256 } = await loadBackground(options.background);
  const encode = wordwise((word) => tokenizer.encode(word).ids);
  const split = ROOMS.find((room) => encode(` ${room}.`).length !== 2);
  if (split) throw new InputError(`The tokenizer ${path} parts " ${split}": an answer has to be one token.`);
  return {
    card: {
      name: 'stories',
      source: `generated: stories in the manner of bAbI, divided by a hash of their facts, in text of ${options.background}, divided by its parts`,
      licence: 'stories: none needed; book: public domain (King James Version, 1611)',
      sizes: {},
      sha256,
    },
    vocabularySize: tokenizer.vocabSize,
    tokenizer: JSON.parse(json),
    row(split, index) {
      const random = Random.at(options.seed, SPLITS.indexOf(split), index);
      for (;;) {
        const pieces = compose(random, options, sentences[split], encode);
        const facts = pieces.flatMap(({ fact }) => fact?.text ?? []);
        if (lengthOf(pieces) <= options.length + 1 && splitOfFacts(facts) === split) return rowOf(pieces);
      }
    },
  };
}

/** What a tokenizer for the stories learns from: the facts of many, a question each, and the training part of the book. */
export async function storyTexts(options: StoriesOptions, count: number): Promise<string[]> {
  const { sentences } = await loadBackground(options.background);
  const stories = Array.from({ length: count }, (_, index) => {
    const story = new Story(Random.at(options.seed, SPLITS.length, index), options);
    const facts = Array.from({ length: 8 }, () => story.tell().text);
    const question = story.ask();
    return [...facts, question ? `${question.text} ${question.answer}.` : ''].join('');
  });
  return [...stories, ...sentences.train.map((sentence) => ` ${sentence}`)];
}
