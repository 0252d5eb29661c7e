/**
 * The random numbers of NumPy, bit for bit: published generators of data are written for them, so their instances can be made
 * again from the same seed. Everything else draws from `lib/random`.
 */

/** Whole numbers from 0 below a bound, as instances are drawn with. */
export interface WholeNumbers {
  /** Uniform in [0, count). */
  below(count: number): number;
}

const MASK_32 = 0xffff_ffffn;
const MASK_64 = (1n << 64n) - 1n;
const MASK_128 = (1n << 128n) - 1n;

/** Uniform in [0, largest]: the low bits of words, until they are small enough. */
function masked(word32: () => number, largest: number): number {
  const mask = 0xffff_ffff >>> Math.clz32(largest);
  for (;;) {
    const value = (word32() & mask) >>> 0;
    if (value <= largest) return value;
  }
}

/** Hashes whole numbers into words as `numpy.random.SeedSequence` does with a pool of four. */
function seedWords(entropy: readonly number[], count: number): Uint32Array {
  const parts = entropy.flatMap((value) =>
    value > 0xffff_ffff ? [value % 0x1_0000_0000, Math.floor(value / 0x1_0000_0000)] : [value],
  );
  let constant = 0x43b0d7e5;
  const hashed = (value: number) => {
    let word = value ^ constant;
    constant = Math.imul(constant, 0x931e8875);
    word = Math.imul(word, constant);
    return word ^ (word >>> 16);
  };
  const mixed = (x: number, y: number) => {
    const word = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) | 0;
    return word ^ (word >>> 16);
  };
  const pool = Array.from({ length: 4 }, (_, i) => hashed(parts[i] ?? 0));
  for (let from = 0; from < 4; from++)
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  for (const part of parts.slice(4)) for (let to = 0; to < 4; to++) pool[to] = mixed(pool[to], hashed(part));
  constant = 0x8b51f9dd;
  return Uint32Array.from({ length: count }, (_, i) => {
    let word = pool[i % 4] ^ constant;
    constant = Math.imul(constant, 0x58f38ded);
    word = Math.imul(word, constant);
    return word ^ (word >>> 16);
  });
}

/** `numpy.random.default_rng(seed)`: PCG64 (XSL-RR 128/64), with bounded numbers by Lemire's method on 32-bit halves. */
export class NumpyGenerator implements WholeNumbers {
  private static readonly MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
  private state: bigint;
  private readonly increment: bigint;
  /** The upper half of a word whose lower half was given out. */
  private half: number | undefined;

  /** @param seed whole numbers from 0; a list is hashed as a whole, so that (seed, index) names a generator */
  constructor(seed: number | readonly number[]) {
    const words = seedWords(typeof seed === 'number' ? [seed] : seed, 8);
    const wide = (at: number) =>
      (BigInt(words[at + 1]) << 96n) |
      (BigInt(words[at]) << 64n) |
      (BigInt(words[at + 3]) << 32n) |
      BigInt(words[at + 2]);
    this.increment = ((wide(4) << 1n) | 1n) & MASK_128;
    this.state = (this.increment + wide(0)) & MASK_128;
    this.step();
  }

  private step(): void {
    this.state = (this.state * NumpyGenerator.MULTIPLIER + this.increment) & MASK_128;
  }

  private word64(): bigint {
    this.step();
    const folded = (this.state >> 64n) ^ (this.state & MASK_64);
    const turn = this.state >> 122n;
    return ((folded >> turn) | (folded << (64n - turn))) & MASK_64;
  }

  private word32(): number {
    if (this.half !== undefined) {
      const { half } = this;
      this.half = undefined;
      return half;
    }
    const word = this.word64();
    this.half = Number(word >> 32n);
    return Number(word & MASK_32);
  }

  /** `random()`: uniform in [0, 1), with 53 bits. */
  uniform(): number {
    return Number(this.word64() >> 11n) / 2 ** 53;
  }

  /** `integers(count)` for counts below 2³²; nothing is drawn for a count of 1. */
  below(count: number): number {
    if (count === 1) return 0;
    const bound = BigInt(count);
    const least = (0x1_0000_0000 - count) % count;
    let product = BigInt(this.word32()) * bound;
    while (Number(product & MASK_32) < least) product = BigInt(this.word32()) * bound;
    return Number(product >> 32n);
  }

  /** `choice(items)` */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** `shuffle(list)`, of a copy; unlike `integers`, it bounds by masks and rejection. */
  shuffled<T>(items: readonly T[]): T[] {
    const list = [...items];
    for (let i = list.length - 1; i > 0; i--) {
      const j = masked(() => this.word32(), i);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }
}

const TWIST = 624;

/** `numpy.random.seed(seed)` and its global `randint`: MT19937, with bounded numbers by masks and rejection. */
export class NumpyGlobal implements WholeNumbers {
  private readonly words = new Uint32Array(TWIST);
  private at = TWIST;

  /** @param seed 32 bits */
  constructor(seed: number) {
    this.words[0] = seed;
    for (let i = 1; i < TWIST; i++) {
      const last = this.words[i - 1] ^ (this.words[i - 1] >>> 30);
      this.words[i] = Math.imul(1812433253, last) + i;
    }
  }

  private word32(): number {
    const { words } = this;
    if (this.at === TWIST) {
      for (let i = 0; i < TWIST; i++) {
        const mixed = (words[i] & 0x8000_0000) | (words[(i + 1) % TWIST] & 0x7fff_ffff);
        words[i] = words[(i + 397) % TWIST] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
      }
      this.at = 0;
    }
    let word = words[this.at++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  below(count: number): number {
    return count === 1 ? 0 : masked(() => this.word32(), count - 1);
  }
}
