/** Rounds of the network below; four mix well enough that no order shows. */
const ROUNDS = 4;

/**
 * The place that a number from 0 below `count` takes in a random order of these numbers: a permutation without a list of it, so
 * that any row of a billion can be found. A Feistel network on the least even number of bits, walked until it is inside.
 * @param key which order, any whole number
 */
export function shuffledPlace(index: number, count: number, key: number): number {
  const half = Math.max(1, Math.ceil(Math.log2(count) / 2));
  const low = 2 ** half;
  let place = index;
  do {
    let left = Math.floor(place / low);
    let right = place % low;
    for (let round = 0; round < ROUNDS; round++) {
      let word = Math.imul(right ^ Math.imul(key, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(round + 1, 0xc2b2ae35);
      word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
      word ^= word >>> 13;
      [left, right] = [right, (left ^ word) & (low - 1)];
    }
    place = left * low + right;
  } while (place >= count);
  return place;
}

/** The row that is read at `index` where `count` rows are read over and over, each time in another order. */
export function rowAt(index: number, count: number, seed: number): number {
  const epoch = Math.floor(index / count);
  return shuffledPlace(index % count, count, seed + Math.imul(epoch, 0x632be5ab));
}
