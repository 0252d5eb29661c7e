/** The whole state of a generator: four 32-bit words, fit for JSON. */
export type RandomState = readonly [number, number, number, number];

/**
 * A small seeded generator (sfc32, Doty-Humphrey's PractRand): the same seed gives the same numbers on every
 * machine and device, and its state can be stored and restored, so that a resumed run draws what an
 * uninterrupted one would have drawn.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** @param seed any integer; equal seeds give equal streams. */
  constructor(seed: number | RandomState) {
    if (typeof seed !== 'number') {
      [this.a, this.b, this.c, this.d] = seed;
      return;
    }
    this.a = 0;
    this.b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.c = seed | 0;
    this.d = 1;
    // Near seeds start alike; a dozen rounds part them.
    for (let round = 0; round < 15; round++) this.word();
  }

  /**
   * A generator at a place that three whole numbers name, such as seed, stream and index: what is drawn there needs nothing
   * that was drawn before. Each counts by its lowest 32 bits.
   */
  static at(seed: number, stream: number, index: number): Random {
    const random = new Random([seed | 0, stream | 0, index | 0, 1]);
    for (let round = 0; round < 15; round++) random.word();
    return random;
  }

  get state(): RandomState {
    return [this.a, this.b, this.c, this.d];
  }

  /** 32 random bits as an unsigned integer. */
  word(): number {
    const sum = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [from, to), with 53 random bits. */
  uniform(from = 0, to = 1): number {
    const unit = ((this.word() >>> 5) * 0x400_0000 + (this.word() >>> 6)) / 0x20_0000_0000_0000;
    return from + (to - from) * unit;
  }

  /** Uniform integer in [from, to]. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.uniform() * (to - from + 1));
  }

  /** Standard normal (Box–Muller; one of the pair is dropped, so that the state stays four words). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** One element, each equally likely. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)];
  }

  /** `count` different elements in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    for (let i = 0; i < count; i++) {
      const j = this.integer(i, rest.length - 1);
      [rest[i], rest[j]] = [rest[j], rest[i]];
    }
    return rest.slice(0, count);
  }

  /** One key of a table of weights, with probability proportional to its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const keys = Object.keys(weights) as K[];
    let left = this.uniform(
      0,
      keys.reduce((sum, key) => sum + weights[key], 0),
    );
    for (const key of keys) {
      left -= weights[key];
      if (left < 0) return key;
    }
    return keys[keys.length - 1];
  }
}
