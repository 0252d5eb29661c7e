import { z } from 'zod';
import { InputError } from '@/lib/input-error';
import { Random } from '@/lib/random';
import { type DataSource, type Row, SPLITS, type Split } from './source';
import { contentHash, OF_GENERATED, splitByHash } from './splits';

const count = z.int().min(1);

export const mqarSourceSchema = z.strictObject({
  seed: z.int().default(0),
  length: z.int().min(4).default(256),
  /** Pairs of a key and its value, with which a row begins; no key comes twice. */
  pairs: count.default(8),
  /** Pairs that are asked for, each once; all of them if left out. */
  queries: count.optional(),
  /** Fewest and most tokens between a value and the key that asks for it; whatever the length allows if left out. */
  gap: z
    .tuple([z.int().min(0), z.int().min(0)])
    .refine(([least, most]) => least <= most, 'the first number must not be above the second')
    .optional(),
  /** Keys and values to draw from. */
  keys: count.default(64),
  values: count.default(64),
  /** What stands between the questions: so many tokens at random, or one blank. */
  noise: z.int().min(0).default(0),
});

type MqarSource = z.infer<typeof mqarSourceSchema>;

/** Token 0 is the blank; keys, values and noise follow. */
const BLANK = 0;

/** Gaps are told apart by octaves: `gap 8` is 8 to 15 tokens, `gap 0` is none. */
export const gapLabel = (gap: number): string => `gap ${gap === 0 ? 0 : 2 ** Math.floor(Math.log2(gap))}`;

interface Query {
  readonly pair: number;
  /** Where the key stands; its value is the next token. */
  readonly at: number;
  readonly gap: number;
}

/**
 * Multi-query associative recall (Arora et al. 2023) with the distance under control: a row begins with its pairs; later, among
 * blanks or noise, keys come again and their values are the answers. Short and long gaps are equally frequent, by octaves. The
 * label of an answer is its gap. The classes are those of the last answer: its pair, the other pairs, the key that asks.
 */
export function mqarSource(options: MqarSource): DataSource {
  const { seed, length, pairs, queries = pairs, gap: [least, most] = [0, length], keys, values, noise } = options;
  const stated = 2 * pairs;
  const slots = Math.floor((length - stated) / 2);
  const gapOf = (pair: number, slot: number) => stated + 2 * slot - (2 * pair + 2);
  const slotsOf = (pair: number) =>
    Array.from({ length: Math.max(0, slots) }, (_, slot) => slot).filter((slot) => {
      const gap = gapOf(pair, slot);
      return gap >= least && gap <= most;
    });
  const allowed = Array.from({ length: pairs }, (_, pair) => slotsOf(pair));
  checkRoom(options, queries, Math.min(...allowed.map((slotsOfPair) => slotsOfPair.length)));
  const firstValue = 1 + keys;
  const firstNoise = firstValue + values;

  /** Which pair is asked for where: pairs in random order, each at a free place within its gap. */
  function placed(random: Random): Query[] {
    const free = new Set(Array.from({ length: slots }, (_, slot) => slot));
    const chosen = random.sample([...allowed.keys()], queries).map((pair) => {
      const open = allowed[pair].filter((slot) => free.has(slot));
      const weights = open.map((slot) => 1 / (1 + gapOf(pair, slot)));
      let left = random.uniform(
        0,
        weights.reduce((sum, weight) => sum + weight, 0),
      );
      const found = weights.findIndex((weight) => {
        left -= weight;
        return left < 0;
      });
      const slot = open.at(found) as number;
      free.delete(slot);
      return { pair, at: stated + 2 * slot, gap: gapOf(pair, slot) };
    });
    return chosen.sort((a, b) => a.at - b.at);
  }

  function draw(random: Random): Row {
    const tokens = new Int32Array(length).fill(BLANK);
    if (noise > 0) for (let t = stated; t < length; t++) tokens[t] = random.integer(firstNoise, firstNoise + noise - 1);
    const drawn = random.sample(
      Array.from({ length: keys }, (_, key) => 1 + key),
      pairs,
    );
    drawn.forEach((key, pair) => {
      tokens[2 * pair] = key;
      tokens[2 * pair + 1] = random.integer(firstValue, firstNoise - 1);
    });
    const asked = placed(random);
    for (const { pair, at } of asked) tokens.set(tokens.subarray(2 * pair, 2 * pair + 2), at);
    const last = asked[asked.length - 1];
    const spanOf = (pair: number): [number, number] => [2 * pair, 2 * pair + 2];
    return {
      tokens,
      answers: asked.map(({ at, gap }) => ({ start: at + 1, end: at + 2, label: gapLabel(gap) })),
      classes: {
        needle: [spanOf(last.pair)],
        competing: [...allowed.keys()].filter((pair) => pair !== last.pair).map(spanOf),
        question: [[last.at, last.at + 1]],
      },
    };
  }

  return {
    card: {
      name: 'mqar',
      source: `generated: multi-query associative recall with gaps, ${JSON.stringify(options)}`,
      licence: 'none needed',
      sizes: {},
      sha256: null,
    },
    vocabularySize: firstNoise + noise,
    row(split: Split, index: number): Row {
      const random = Random.at(seed, SPLITS.indexOf(split), index);
      for (;;) {
        const row = draw(random);
        if (splitByHash(contentHash(row.tokens), OF_GENERATED) === split) return row;
      }
    },
  };
}

/** As many places for every pair as there are questions: then one is free whichever are taken. @throws InputError */
function checkRoom({ length, pairs, keys, gap }: MqarSource, queries: number, places: number): void {
  const fault = (what: string) => new InputError(`MQAR cannot be drawn: ${what}.`);
  if (pairs > keys) throw fault(`${pairs} pairs need as many keys, and there are ${keys}`);
  if (queries > pairs) throw fault(`${queries} questions need as many pairs, and there are ${pairs}`);
  if (places < queries)
    throw fault(
      `a row of ${length} tokens leaves a pair ${places} places${gap ? ` with a gap from ${gap[0]} to ${gap[1]}` : ''} for ${queries} questions; make the row longer${gap ? ' or the gap wider' : ''}`,
    );
}
