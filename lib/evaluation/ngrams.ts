import { InputError } from '@/lib/input-error';

/** What a model of n-grams knows of contexts of one length. */
interface Level {
  /** By gram, a number of so many digits to the base of the vocabulary: how often, or below the highest level behind how many different tokens. */
  readonly grams: Map<number, number>;
  /** By context, the same without its last digit: sum of these, and how many grams there are. */
  readonly contexts: Map<number, { total: number; types: number }>;
  /** What is taken from every count and given to shorter contexts: n1 / (n1 + 2 n2). */
  readonly discount: number;
}

/**
 * Interpolated Kneser–Ney over tokens with one discount a level and the uniform distribution at the bottom: what counting alone
 * foretells, as a line that a model that has learnt something is below.
 */
export class NGrams {
  readonly #levels: Level[];

  /**
   * @param rows to count in; no gram reaches from one to the next
   * @param order tokens of the longest gram, the foretold one included
   * @throws InputError where grams of the vocabulary are too many to be told apart by a number
   * Cost: memory and time of the different grams of every length.
   */
  constructor(
    rows: Iterable<ArrayLike<number>>,
    readonly order: number,
    readonly vocabulary: number,
  ) {
    if (vocabulary ** order > Number.MAX_SAFE_INTEGER)
      throw new InputError(
        `There are too many grams of ${order} of ${vocabulary} tokens to be counted: choose a lower order.`,
      );
    let grams = new Map<number, number>();
    for (const row of rows)
      for (let end = order; end <= row.length; end++) {
        const gram = this.#gram(row, end, order);
        grams.set(gram, (grams.get(gram) ?? 0) + 1);
      }
    this.#levels = [this.#level(grams)];
    for (let length = order - 1; length >= 1; length--) {
      const shorter = new Map<number, number>();
      const scale = vocabulary ** length;
      for (const gram of grams.keys()) shorter.set(gram % scale, (shorter.get(gram % scale) ?? 0) + 1);
      grams = shorter;
      this.#levels.unshift(this.#level(grams));
    }
  }

  /** p of token `at` of a row after those before it, of which as many count as the order allows. */
  probability(row: ArrayLike<number>, at: number): number {
    let p = 1 / this.vocabulary;
    for (const [k, { grams, contexts, discount }] of this.#levels.slice(0, at + 1).entries()) {
      const gram = this.#gram(row, at + 1, k + 1);
      const context = contexts.get(Math.floor(gram / this.vocabulary));
      if (!context) break;
      const count = grams.get(gram) ?? 0;
      p = (Math.max(0, count - discount) + discount * context.types * p) / context.total;
    }
    return p;
  }

  #gram(row: ArrayLike<number>, end: number, length: number): number {
    let gram = 0;
    for (let k = end - length; k < end; k++) gram = gram * this.vocabulary + row[k];
    return gram;
  }

  #level(grams: Map<number, number>): Level {
    const contexts: Level['contexts'] = new Map();
    let [once, twice] = [0, 0];
    for (const [gram, count] of grams) {
      if (count === 1) once++;
      if (count === 2) twice++;
      const key = Math.floor(gram / this.vocabulary);
      const context = contexts.get(key);
      if (context) {
        context.total += count;
        context.types++;
      } else contexts.set(key, { total: count, types: 1 });
    }
    // Where no gram comes once, as of few tokens in a long text, shorter contexts get what one that comes half as often would give.
    const discount = once > 0 ? once / (once + 2 * twice) : 0.5;
    return { grams, contexts, discount };
  }
}
