import { describe, expect, it } from 'vitest';
import { parseTokenizer } from '@/lib/tokenizer';
import { loadBackground } from './background';
import { type Row, SPLITS } from './source';
import { openSource } from './sources';
import { splitOfFacts, storiesSchema } from './stories';
import { CUES, OBJECTS, PERSONS, PRONOUNS, ROOMS } from './story-words';

const open = (options: object = {}) => openSource({ source: 'stories', ...options });

const source = await open();
const tokenizer = parseTokenizer(JSON.stringify(source.tokenizer));
const textOf = (row: Row, [start, end]: readonly [number, number] = [0, row.tokens.length]) =>
  tokenizer.decode(row.tokens.subarray(start, end));

const oneOf = (words: readonly string[]) => `(${words.join('|')})`;
const FACT = new RegExp(
  `^${oneOf([...PERSONS, 'She', 'He'])} (?:.+ )?(entered|reached|visited|took|grabbed|found) the (?:.+ )?${oneOf([...ROOMS, ...OBJECTS])}$`,
);
const INVERTED = new RegExp(`^In the (?:.+ )?${oneOf(ROOMS)} (?:.+ )?stood ${oneOf(PERSONS)}$`);
const QUESTION = new RegExp(`^Where is (the )?${oneOf([...PERSONS, ...OBJECTS])}\\b.*: ${oneOf(ROOMS)}$`);

interface Told {
  readonly facts: string[];
  /** Of the facts: with a pronoun, and with the room first. */
  readonly pronouns: number;
  readonly inverted: number;
  /** Of the questions: those whose answer had been told before. */
  readonly repeats: number;
  readonly questions: { readonly name: string; readonly room: string; readonly told: string; readonly label: string }[];
  readonly noise: string[];
}

/** Reads a row as a person would: who is where, who holds what, and what each question ought to be answered. */
function read(text: string): Told {
  const places = new Map<string, string>();
  const holders = new Map<string, string>();
  const known = new Map<string, string>();
  const asked_ = new Set<string>();
  let [pronouns, inverted, repeats] = [0, 0, 0];
  const facts: string[] = [];
  const questions: Told['questions'] = [];
  const call = (person: string) => known.set(PRONOUNS[person as keyof typeof PRONOUNS], person);
  const noise: string[] = [];
  const sentences = text
    .replaceAll(/\? /g, '¿ ')
    .split('.')
    .map((sentence) => sentence.replaceAll('¿', '?').trim());
  for (const sentence of sentences.filter(Boolean)) {
    const asked = QUESTION.exec(sentence);
    const turned = INVERTED.exec(sentence);
    const fact = turned ? [sentence, turned[2], 'entered', turned[1]] : FACT.exec(sentence);
    if (asked) {
      const [, object, name, told] = asked;
      const person = object ? (holders.get(name) as string) : name;
      const room = places.get(person) as string;
      questions.push({ name, told, room, label: object ? 'two-hop' : 'one-hop' });
      if (asked_.has(name)) repeats++;
      asked_.add(name);
      if (!object) call(name);
    } else if (fact) {
      const [, subject, verb, about] = fact;
      const person = known.get(subject) ?? subject;
      if (turned) inverted++;
      if (person !== subject) pronouns++;
      call(person);
      if (/took|grabbed|found/.test(verb)) {
        holders.set(about, person);
        asked_.delete(about);
      } else {
        places.set(person, about);
        for (const [object, holder] of holders) if (holder === person) asked_.delete(object);
        asked_.delete(person);
      }
      facts.push(` ${sentence}.`);
    } else noise.push(sentence);
  }
  return { facts, pronouns, inverted, repeats, questions, noise };
}

describe('the stories source', () => {
  it('is a pure function of seed, split and index', async () => {
    const [again, other] = await Promise.all([open(), open({ seed: 1 })]);
    const seen = SPLITS.flatMap((split) => [0, 1, 2].map((index) => source.row(split, index)));
    const repeated = [...SPLITS].reverse().flatMap((split) => [2, 1, 0].map((index) => again.row(split, index)));
    expect(repeated.reverse()).toEqual(seen);
    expect(new Set(seen.map((row) => textOf(row))).size).toBe(seen.length);
    expect(other.row('train', 0)).not.toEqual(seen[0]);
  });

  it('answers what its facts say, to each question once, and labels the hops', () => {
    const labels = new Map<string, number>();
    for (const split of SPLITS)
      for (let index = 0; index < 60; index++) {
        const row = source.row(split, index);
        const { questions } = read(textOf(row));
        expect(questions.length).toBe(row.answers.length);
        for (const [i, { told, room, label }] of questions.entries()) {
          const answer = row.answers[i];
          expect(textOf(row, [answer.start, answer.end])).toBe(` ${told}`);
          expect(told).toBe(room);
          expect(answer.label).toBe(label);
          labels.set(label, (labels.get(label) ?? 0) + 1);
        }
      }
    expect(Math.min(labels.get('one-hop') ?? 0, labels.get('two-hop') ?? 0)).toBeGreaterThan(60);
  });

  it('has rows of at most the asked length, which end with an answer', async () => {
    for (const length of [96, 256, 512]) {
      const rows = await open({ length });
      for (let index = 0; index < 30; index++) {
        const { tokens, answers } = rows.row('train', index);
        expect(tokens.length).toBeLessThanOrEqual(length);
        expect(tokens.length).toBeGreaterThan(length - 60);
        expect(answers.at(-1)?.end).toBe(tokens.length);
      }
    }
  });

  it('names the classes of the last question', () => {
    for (let index = 0; index < 60; index++) {
      const row = source.row('test', index);
      const { needle = [], competing = [], question = [] } = row.classes ?? {};
      const last = row.answers.at(-1);
      const room = textOf(row, [row.tokens.length - 1, row.tokens.length]).trim();
      expect(needle.length).toBe(last?.label === 'one-hop' ? 1 : 2);
      expect(needle.some((span) => textOf(row, span).endsWith(` ${room}.`))).toBe(true);
      for (const span of competing) {
        const named = ROOMS.filter((name) => textOf(row, span).includes(name));
        expect(named.length).toBe(1);
        expect(named).not.toContain(room);
      }
      expect(question.length).toBe(1);
      expect(textOf(row, question[0])).toMatch(/^ Where is .*:$/);
      expect(question[0][1]).toBe(row.tokens.length - 1);
    }
  });

  it('divides stories by their facts and the book by its parts', async () => {
    const { sentences } = await loadBackground(storiesSchema.parse({}).background);
    for (const split of SPLITS)
      for (let index = 0; index < 40; index++) {
        const { facts, noise } = read(textOf(source.row(split, index)));
        expect(splitOfFacts(facts)).toBe(split);
        for (const sentence of noise) expect(sentences[split]).toContain(`${sentence}.`);
      }
    const trained = new Set(sentences.train);
    const shared = sentences.test.filter((sentence) => trained.has(sentence));
    // A book says some things twice.
    expect(shared.length).toBeLessThan(0.1 * sentences.test.length);
  });

  it('puts as many words between a person and the room, and as much cue behind a name, as it is told', async () => {
    const words = async (gap: number) => {
      const rows = await open({ gap: [gap, gap], noise: [0, 0] });
      return Array.from({ length: 20 }, (_, index) => read(textOf(rows.row('train', index))).facts).flat();
    };
    for (const gap of [0, 1, 7, 16])
      for (const fact of await words(gap)) expect(fact.split(' ').length - 1).toBe(gap + 4);
    for (const [level, cue] of CUES.entries()) {
      const [, tail] = cue.split('{}');
      for (const pause of [0, 5]) {
        const rows = await open({ cue: [level, level], pause: [pause, pause], two_hops: 0 });
        const between = `is \\w+( \\w+){${pause}}`;
        expect(textOf(rows.row('test', 0))).toMatch(new RegExp(`${between}${tail.replaceAll('?', '\\?')} \\w+$`));
      }
    }
    const distances = CUES.map((cue) => tokenizer.encode(cue.split('{}')[1]).ids.length);
    expect(distances[0]).toBe(3);
    expect(distances).toEqual([...new Set(distances)].sort((a, b) => a - b));
  });

  it('names the persons of facts again where it is told to', async () => {
    const rows = await open({ echoes: 1, noise: [0, 0] });
    for (let index = 0; index < 10; index++) {
      const row = rows.row('train', index);
      const facts = textOf(row)
        .replaceAll(/ Where is [^:]*: \w+\.?/g, '')
        .split('.')
        .filter(Boolean);
      const echoes = row.answers.filter(({ label }) => label === 'echo');
      expect(echoes.map(({ start, end }) => textOf(row, [start, end]).trim())).toEqual(
        facts.map((sentence) => sentence.trim().split(' ')[0]),
      );
      for (const fact of facts) expect(fact).toMatch(/( that|, as|, so)? \w+ (knew|said|answered)$/);
      const starts = row.answers.map(({ start }) => start);
      expect(starts).toEqual([...starts].sort((a, b) => a - b));
    }
  });

  it('names the rooms of moves again where it is told to', async () => {
    const rows = await open({ again: 1, gap: [0, 3], noise: [0, 0], questions: [0, 0] });
    const behind = new Set<number>();
    for (let index = 0; index < 10; index++) {
      const row = rows.row('train', index);
      const moves = [
        ...textOf(row).matchAll(
          new RegExp(
            `(?:entered|reached|visited) the (?:\\w+ )*?${oneOf(ROOMS)}((?: \\w+)*) and stayed in the (\\w+)\\.`,
            'g',
          ),
        ),
      ];
      for (const [, room, manner, again] of moves) {
        expect(again).toBe(room);
        behind.add(manner.split(' ').length - 1);
      }
      const named = row.answers.filter(({ label }) => label === 'again');
      expect(named.map(({ start, end }) => textOf(row, [start, end]).trim())).toEqual(moves.map(([, room]) => room));
      expect(textOf(row).match(/entered|reached|visited/g)?.length).toBe(moves.length);
    }
    expect([...behind].sort()).toEqual([0, 1, 2, 3]);
  });

  it('answers what its facts say with She and He, and with rooms first', async () => {
    const told = { pronouns: 0.5, inverted: 0.5, noise: [0, 0], persons: [3, 4], questions: [0.2, 0.6] };
    const rows = await open(told);
    for (const split of SPLITS)
      for (let index = 0; index < 60; index++) {
        const row = rows.row(split, index);
        const { questions } = read(textOf(row));
        expect(questions.map(({ told, label }) => [told, label])).toEqual(
          row.answers.map(({ start, end, label }) => [textOf(row, [start, end]).trim(), label]),
        );
        for (const { told, room } of questions) expect(told).toBe(room);
      }
  });

  it('has as many of them as it is told, and asks nothing that an answer has told unless it may', async () => {
    const counts = async (options: object) => {
      const rows = await open({ noise: [0, 0], questions: [0.5, 0.8], length: 512, ...options });
      const all = Array.from({ length: 40 }, (_, index) => read(textOf(rows.row('train', index))));
      const sum = (of: (one: Told) => number) => all.reduce((total, one) => total + of(one), 0);
      const [facts, questions] = [sum((one) => one.facts.length), sum((one) => one.questions.length)];
      const shares = (['pronouns', 'inverted'] as const).map((key) => sum((one) => one[key]) / facts);
      return { shares, repeats: sum((one) => one.repeats) / questions };
    };
    const none = await counts({});
    expect(none).toMatchObject({ shares: [0, 0], repeats: 0 });
    const [pronouns, inverted] = (await counts({ pronouns: 0.6, inverted: 0.5, takes: 0 })).shares;
    expect(pronouns).toBeGreaterThan(0.4);
    expect(pronouns).toBeLessThan(0.6);
    expect(inverted).toBeCloseTo((1 - pronouns) / 2, 1);
    expect((await counts({ repeats: 1 })).repeats).toBeGreaterThan(0.3);
  });

  it('tells as many takes as it is told', async () => {
    const share = async (takes: number) => {
      const rows = await open({ takes, noise: [0, 0] });
      const facts = Array.from({ length: 40 }, (_, index) => read(textOf(rows.row('train', index))).facts).flat();
      return facts.filter((fact) => / (took|grabbed|found) the /.test(fact)).length / facts.length;
    };
    // The first fact of a row is a move whatever is asked for.
    expect(await share(0)).toBe(0);
    expect(await share(0.35)).toBeCloseTo(0.35, 1);
    expect(await share(0.9)).toBeGreaterThan(0.7);
  });

  it('asks who has an object where it is told to', async () => {
    const rows = await open({ holders: 1, questions: [1, 1], gap: [2, 2], noise: [0, 0] });
    let asked = 0;
    for (let index = 0; index < 30; index++) {
      const row = rows.row('train', index);
      const holders = new Map<string, string>();
      const wanted: string[] = [];
      for (const [, person, object, about] of textOf(row).matchAll(
        / (\w+)[^.:]* (?:took|grabbed|found) the [^.]*?(\w+)\.| Who has the (\w+)/g,
      ))
        if (about) wanted.push(holders.get(about) as string);
        else holders.set(object, person);
      const answers = row.answers.filter(({ label }) => label === 'holder');
      expect(answers.map(({ start, end }) => textOf(row, [start, end]).trim())).toEqual(wanted);
      expect(row.answers.at(-1)?.label).not.toBe('holder');
      asked += wanted.length;
    }
    expect(asked).toBeGreaterThan(60);
  });

  it('mixes in as much of the book as it is told', async () => {
    for (const noise of [0, 0.5]) {
      const rows = await open({ noise: [noise, noise], questions: [0, 0] });
      const read_ = Array.from({ length: 40 }, (_, index) => read(textOf(rows.row('train', index))));
      const of = (key: 'noise' | 'facts') => read_.reduce((sum, one) => sum + one[key].length, 0);
      expect(of('noise') / (of('noise') + of('facts'))).toBeCloseTo(noise, 0.9);
    }
  });

  it.each([
    [{ length: 50 }, 'length'],
    [{ persons: [3, 2] }, 'must not be above'],
    [{ cue: [0, 99] }, 'cue'],
    [{ background: 'nowhere.gz' }, 'cannot be read'],
    [{ tokenizer: 'nowhere.json' }, 'cannot be read'],
    [{ tokenizer: 'lib/tokenizer/testing/bpe_small.tokenizer.json' }, 'has to be one token'],
  ])('says what is wrong with %j', async (options, message) => {
    await expect(open(options)).rejects.toThrow(message);
  });

  it('has a tokenizer for which the words of the stories are one token each', () => {
    for (const word of [...PERSONS, ...ROOMS, ...OBJECTS]) expect(tokenizer.encode(` ${word}`).ids.length).toBe(1);
  });
});
