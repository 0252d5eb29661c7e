/**
 * The random numbers of NumPy, bit for bit: published generators of data are written for them, so their instances can be made
 * again from the same seed. Everything else draws from `lib/random`.
 */

/** Whole numbers from 0 below a bound, as instances are drawn with. */
export interface WholeNumbers {
  /** Uniform in [0, count). */
  below(count: number): number;
}

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

/** Digits of 16 bits, the lowest first: products of 128 bits add up exactly in floating point, far faster than as a BigInt. */
const DIGITS = 8;
const BASE = 0x1_0000;
const MULTIPLIER = Uint16Array.of(0xf645, 0x9fcc, 0xdf64, 0x4385, 0x5da4, 0x1fc6, 0xed05, 0x2360);

/** What the digits of a product add up to before carrying. */
const SUMS = new Float64Array(DIGITS);

/** Counts for which 32 bits times the count are exact. */
const EXACT = 2 ** 21;

/** `numpy.random.default_rng(seed)`: PCG64 (XSL-RR 128/64), with bounded numbers by Lemire's method on 32-bit halves. */
export class NumpyGenerator implements WholeNumbers {
  private readonly state = new Uint16Array(DIGITS);
  private readonly increment = new Uint16Array(DIGITS);
  /** The last word of 64 bits. */
  private low = 0;
  private high = 0;
  /** Whether its upper half is still to be given out. */
  private hasHalf = false;
  private half = 0;

  /** @param seed whole numbers from 0; a list is hashed as a whole, so that (seed, index) names a generator */
  constructor(seed: number | readonly number[]) {
    const words = seedWords(typeof seed === 'number' ? [seed] : seed, 8);
    // Numbers of 128 bits come as their upper 64 bits and their lower, each with its lower word first.
    const digitsAt = (at: number) => new Uint16Array(Uint32Array.of(...[2, 3, 0, 1].map((k) => words[at + k])).buffer);
    const [start, stream] = [digitsAt(0), digitsAt(4)];
    for (let k = 0; k < DIGITS; k++) this.increment[k] = (stream[k] << 1) | (k === 0 ? 1 : stream[k - 1] >>> 15);
    let carry = 0;
    for (let k = 0; k < DIGITS; k++) {
      carry += start[k] + this.increment[k];
      this.state[k] = carry;
      carry = Math.floor(carry / BASE);
    }
    this.step();
  }

  /** State ← state · multiplier + increment. */
  private step(): void {
    const { state, increment } = this;
    for (let k = 0; k < DIGITS; k++) {
      let sum: number = increment[k];
      for (let i = 0; i <= k; i++) sum += state[i] * MULTIPLIER[k - i];
      SUMS[k] = sum;
    }
    let carry = 0;
    for (let k = 0; k < DIGITS; k++) {
      carry += SUMS[k];
      state[k] = carry % BASE;
      carry = Math.floor(carry / BASE);
    }
  }

  /** Draws 64 bits into `low` and `high`. */
  private draw(): void {
    this.step();
    const { state } = this;
    const folded = (k: number) => (state[k] ^ state[k + 4]) | ((state[k + 1] ^ state[k + 5]) << 16);
    const turn = state[7] >>> 10;
    const [low, high] = turn < 32 ? [folded(0), folded(2)] : [folded(2), folded(0)];
    const by = turn % 32;
    this.low = (by === 0 ? low : (low >>> by) | (high << (32 - by))) >>> 0;
    this.high = (by === 0 ? high : (high >>> by) | (low << (32 - by))) >>> 0;
  }

  private word32(): number {
    if (this.hasHalf) {
      this.hasHalf = false;
      return this.half;
    }
    this.draw();
    this.half = this.high;
    this.hasHalf = true;
    return this.low;
  }

  /** `random()`: uniform in [0, 1), with 53 bits. */
  uniform(): number {
    this.draw();
    return (this.high * 2 ** 21 + (this.low >>> 11)) / 2 ** 53;
  }

  /** `integers(count)` for counts below 2³²; nothing is drawn for a count of 1. */
  below(count: number): number {
    if (count === 1) return 0;
    const least = (2 ** 32 - count) % count;
    for (;;) {
      const word = this.word32();
      if (count <= EXACT) {
        const product = word * count;
        if (product % 2 ** 32 >= least) return Math.floor(product / 2 ** 32);
      } else {
        const product = BigInt(word) * BigInt(count);
        if (Number(BigInt.asUintN(32, product)) >= least) return Number(product >> 32n);
      }
    }
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
