/**
 * The six tasks of MAD (mechanistic architecture design, Poli et al. 2024) as their published generators draw them: with
 * NumPy's numbers (`numpy-random`) the instances are the same, draw for draw.
 */

import { NumpyGenerator, type WholeNumbers } from './numpy-random';

export const MAD_TASKS = [
  'in-context-recall',
  'fuzzy-in-context-recall',
  'noisy-in-context-recall',
  'selective-copying',
  'compression',
  'memorization',
] as const;
export type MadTask = (typeof MAD_TASKS)[number];

/** What is not asked for. */
export const IGNORED = -100;

export interface MadSettings {
  readonly vocabulary: number;
  /** Tokens of an instance. Plain and noisy recall give one position less, because inputs and targets are one apart. */
  readonly length: number;
  /** Recall: every key that comes again is asked for, and no token announces the last one. */
  readonly multiQuery: boolean;
  /** Noisy recall: the share of pairs that are noise, and its tokens, the last of the vocabulary. */
  readonly noise: number;
  readonly noiseVocabulary: number;
  /** Fuzzy recall: most tokens of a key and of a value. */
  readonly motif: number;
  /** Selective copying: tokens to copy. */
  readonly copied: number;
  /** Memorisation: the seed of the one map from keys to values. */
  readonly mapSeed: number;
}

const BASE = { multiQuery: true, noise: 0, noiseVocabulary: 0, motif: 3, copied: 16, mapSeed: 12345 };

/** The first setting of each task's grid; a grid changes one number of it at a time. */
export const MAD_BASELINES: Readonly<Record<MadTask, MadSettings>> = {
  'in-context-recall': { ...BASE, vocabulary: 16, length: 128 },
  'fuzzy-in-context-recall': { ...BASE, vocabulary: 16, length: 128 },
  'noisy-in-context-recall': { ...BASE, vocabulary: 32, length: 128, noise: 0.2, noiseVocabulary: 16 },
  'selective-copying': { ...BASE, vocabulary: 16, length: 256 },
  compression: { ...BASE, vocabulary: 16, length: 32 },
  memorization: { ...BASE, vocabulary: 256, length: 32 },
};

/** Which numbers of the settings a task reads, beside vocabulary and length. */
export const MAD_FIELDS: Readonly<Record<MadTask, readonly (keyof MadSettings)[]>> = {
  'in-context-recall': ['multiQuery'],
  'fuzzy-in-context-recall': ['multiQuery', 'motif'],
  'noisy-in-context-recall': ['multiQuery', 'noise', 'noiseVocabulary'],
  'selective-copying': ['copied'],
  compression: [],
  memorization: ['mapSeed'],
};

export interface MadDraw {
  readonly random: NumpyGenerator;
  /** Where the blanks of selective copying go: the published generator asks another generator for these. */
  readonly places: WholeNumbers;
  /** Fuzzy recall has keys of every size in training, and only the largest in tests. */
  readonly training: boolean;
}

/** What an instance is made of. */
export interface MadSequence {
  readonly tokens: readonly number[];
  /** What is asked for at each token, {@link IGNORED} where nothing is. */
  readonly asked: readonly number[];
  /** Whether what is asked for is the token itself, to be said one position before; otherwise it is said at the token. */
  readonly isNext: boolean;
}

/** @param settings as {@link madFault} finds nothing wrong with */
export function madSequence(task: MadTask, settings: MadSettings, draw: MadDraw): MadSequence {
  switch (task) {
    case 'in-context-recall':
    case 'noisy-in-context-recall':
      return recall(settings, draw);
    case 'fuzzy-in-context-recall':
      return fuzzyRecall(settings, draw);
    case 'selective-copying':
      return selectiveCopying(settings, draw);
    case 'compression':
      return compression(settings, draw);
    case 'memorization':
      return memorisation(settings, draw);
  }
}

/** An instance as the published generators return it. */
export interface MadInstance {
  readonly inputs: readonly number[];
  readonly targets: readonly number[];
}

/** Recall trains on every next token and is tested on the values of keys that come again; the others ask the same of both. */
export function madInstance(task: MadTask, settings: MadSettings, draw: MadDraw): MadInstance {
  const { tokens, asked, isNext } = madSequence(task, settings, draw);
  if (!isNext) return { inputs: tokens, targets: asked };
  return { inputs: tokens.slice(0, -1), targets: (draw.training ? tokens : asked).slice(1) };
}

/** What keeps settings from being drawn, as the end of a sentence; undefined where nothing does. */
export function madFault(task: MadTask, settings: MadSettings): string | undefined {
  const { vocabulary, length, motif, copied, noise, noiseVocabulary } = settings;
  if (task === 'fuzzy-in-context-recall') {
    if (Math.floor((vocabulary - 2) / 2) < motif)
      return `keys of ${motif} tokens need a vocabulary of ${2 * motif + 2}`;
    // The pair that is asked for, once before and once at the end, and one more.
    if (length <= 6 * motif) return `motifs of ${motif} tokens need a length above ${6 * motif}`;
    return undefined;
  }
  if (task === 'selective-copying') {
    if (vocabulary < 3) return 'the vocabulary must have 3 tokens';
    return length > 2 * copied + 1 ? undefined : `copying ${copied} tokens needs a length above ${2 * copied + 1}`;
  }
  if (task === 'compression') return vocabulary < 2 ? 'the vocabulary must have 2 tokens' : undefined;
  if (length % 2 !== 0) return 'the length must be even, as pairs of a key and a value are';
  if (task === 'memorization') return vocabulary < 3 ? 'the vocabulary must have 3 tokens' : undefined;
  if (length < 4) return 'the length must be 4 or more';
  if (noise > 0 && noiseVocabulary === 0) return 'noise needs tokens of its own (noiseVocabulary)';
  return vocabulary - noiseVocabulary < 4 ? 'keys and values need 4 tokens beside the noise' : undefined;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const repeated = (token: number, count: number) => Array<number>(count).fill(token);

/** A sequence in the making. */
class Tokens {
  readonly tokens: number[] = [];
  readonly asked: number[] = [];

  put(tokens: readonly number[], isAsked = false): void {
    this.tokens.push(...tokens);
    this.asked.push(...(isAsked ? tokens : tokens.map(() => IGNORED)));
  }
}

/** Key, value, key, value …: a key always has the same value, and the last key was there before. */
function recall(settings: MadSettings, { random }: MadDraw): MadSequence {
  const { vocabulary, length, multiQuery, noise, noiseVocabulary } = settings;
  const marker = vocabulary - 1;
  const known = (multiQuery ? vocabulary : vocabulary - 1) - noiseVocabulary;
  const keys = range(0, Math.floor(known / 2));
  const values = range(keys.length, known);
  const noisy = range(known, known + noiseVocabulary);
  const sequence = new Tokens();
  const valueBy = new Map<number, number>();
  const pairs = length / 2;
  const neverNoise = random.below(pairs);
  for (let i = 0; i < pairs - 1; i++) {
    if (noise > 0 && i !== neverNoise && random.uniform() < noise) {
      sequence.put([random.pick(noisy), random.pick(noisy)]);
      continue;
    }
    const key = random.pick(keys);
    const before = valueBy.get(key);
    const value = before ?? random.pick(values);
    valueBy.set(key, value);
    sequence.put([key]);
    sequence.put([value], multiQuery && before !== undefined);
  }
  const [key, value] = random.pick([...valueBy]);
  sequence.put(multiQuery ? [key] : [marker, key]);
  sequence.put([value], true);
  return { ...sequence, isNext: true };
}

const motifLists = new Map<string, readonly (readonly number[])[]>();

/** All ordered choices of `size` of the numbers [from, to), in lexicographic order; made once. */
function motifsOf(from: number, to: number, size: number): readonly (readonly number[])[] {
  const name = `${from} ${to} ${size}`;
  const known = motifLists.get(name) ?? permutations(range(from, to), size);
  motifLists.set(name, known);
  return known;
}

function permutations(items: readonly number[], size: number): number[][] {
  if (size === 0) return [[]];
  return items.flatMap((item) => {
    const others = items.filter((other) => other !== item);
    return permutations(others, size - 1).map((rest) => [item, ...rest]);
  });
}

/**
 * Recall of keys and values of one to `motif` tokens; padded on the left. As published, a pair that was to come late may not come
 * before it is asked for at the end.
 */
function fuzzyRecall({ vocabulary, length, multiQuery, motif }: MadSettings, draw: MadDraw): MadSequence {
  const { random, training } = draw;
  const marker = vocabulary - 1;
  const padding = multiQuery ? vocabulary - 1 : vocabulary - 2;
  const firstValue = Math.floor(padding / 2);
  const sizes = range(1, motif + 1);
  const keySizes = training ? sizes : [motif];
  const shuffledMotifs = (from: number, to: number, of: readonly number[]) =>
    new Map(of.map((size) => [size, random.shuffled(motifsOf(from, to, size))]));
  const keys = shuffledMotifs(0, firstValue, keySizes);
  const values = shuffledMotifs(firstValue, padding, sizes);
  const pick = (from: typeof keys, size: number) => random.pick(from.get(size) ?? []);

  const probeKeySize = random.pick(keySizes);
  const probeValueSize = random.pick(sizes);
  const probe = pick(keys, probeKeySize);
  const probeValue = pick(values, probeValueSize);
  const probeSize = probeKeySize + probeValueSize;
  const probeAt = random.below(length - 2 * probeSize);
  const sequence = new Tokens();
  const valueBy = new Map<string, readonly number[]>();
  let hasProbe = false;
  while (sequence.tokens.length < length - probeSize - 2 * motif) {
    const keySize = random.pick(keySizes);
    const valueSize = random.pick(sizes);
    if (sequence.tokens.length >= probeAt && !hasProbe) {
      sequence.put([...probe, ...probeValue]);
      valueBy.set(String(probe), probeValue);
      hasProbe = true;
      continue;
    }
    const key = pick(keys, keySize);
    const before = valueBy.get(String(key));
    const isProbe = String(key) === String(probe);
    const value = isProbe ? probeValue : (before ?? pick(values, valueSize));
    hasProbe ||= isProbe;
    valueBy.set(String(key), value);
    sequence.put(key);
    sequence.put(value, multiQuery && before !== undefined);
  }
  sequence.put(multiQuery ? probe : [marker, ...probe]);
  sequence.put(probeValue, true);
  const missing = Math.max(0, length + 1 - sequence.tokens.length);
  return {
    tokens: [...repeated(padding, missing), ...sequence.tokens],
    asked: [...repeated(IGNORED, missing), ...sequence.asked],
    isNext: true,
  };
}

/** Tokens among blanks, then a sign, then as many blanks as there are tokens to say again. */
function selectiveCopying({ vocabulary, length, copied }: MadSettings, { random, places }: MadDraw): MadSequence {
  const sign = vocabulary - 1;
  const blank = vocabulary - 2;
  const copy = Array.from({ length: copied }, () => random.below(blank));
  const blanks = new Uint32Array(copied);
  for (let i = 0; i < length - 2 * copied - 1; i++) blanks[places.below(copied)] += 1;
  const scattered = copy.flatMap((token, i) => [...repeated(blank, blanks[i]), token]);
  return {
    tokens: [...scattered, sign, ...repeated(blank, copied)],
    asked: [...repeated(IGNORED, length - copied), ...copy],
    isNext: false,
  };
}

/** Random tokens and a sign: all of them are to be made again from what is kept at the sign. */
function compression({ vocabulary, length }: MadSettings, { random }: MadDraw): MadSequence {
  const sign = vocabulary - 1;
  const tokens = [...Array.from({ length: length - 1 }, () => random.below(sign)), sign];
  return { tokens, asked: tokens, isNext: false };
}

/** The one map from keys to values of a seed. */
const maps = new Map<string, readonly (readonly [number, number])[]>();

function mapOf({ vocabulary, mapSeed }: MadSettings): readonly (readonly [number, number])[] {
  const name = `${vocabulary} ${mapSeed}`;
  let map = maps.get(name);
  if (!map) {
    const random = new NumpyGenerator(mapSeed);
    const keys = random.shuffled(range(0, Math.floor((vocabulary - 1) / 2)));
    const values = random.shuffled(range(keys.length, vocabulary - 1));
    map = keys.map((key, i) => [key, values[i]] as const);
    maps.set(name, map);
  }
  return map;
}

/** Key, sign, key, sign …: each sign stands for the value that belongs to the key in every instance. */
function memorisation(settings: MadSettings, { random }: MadDraw): MadSequence {
  const sign = settings.vocabulary - 1;
  const map = mapOf(settings);
  const pairs = settings.length / 2;
  // The pair that is never noise is drawn, although there is no noise.
  random.below(pairs);
  const drawn = Array.from({ length: pairs }, () => random.pick(map));
  return {
    tokens: drawn.flatMap(([key]) => [key, sign]),
    asked: drawn.flatMap(([, value]) => [IGNORED, value]),
    isNext: false,
  };
}
