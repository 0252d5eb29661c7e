/** How many tokens a text has at least, found without tokenising it. */

/** Spellings by their bytes. The edge of node n by byte b has the key n · 256 + b, in a table with open addressing. */
class Trie {
  #keys = new Int32Array(1024).fill(-1);
  #nodes = new Int32Array(1024);
  readonly #ends: boolean[] = [false];
  /** Bytes of the longest spelling that begins with each byte. */
  readonly longest = new Uint32Array(256);

  add(bytes: Uint8Array): void {
    let node = 0;
    for (const byte of bytes) {
      const key = node * 256 + byte;
      const slot = this.#slotOf(key);
      if (this.#keys[slot] === key) node = this.#nodes[slot];
      else {
        node = this.#ends.push(false) - 1;
        this.#keys[slot] = key;
        this.#nodes[slot] = node;
        if (2 * node > this.#keys.length) this.#grow();
      }
    }
    if (node > 0) this.#ends[node] = true;
    if (bytes.length > 0) this.longest[bytes[0]] = Math.max(this.longest[bytes[0]], bytes.length);
  }

  /** Bytes of the longest spelling that stands at `at`; 0 where there is none. */
  longestAt(bytes: Uint8Array, at: number): number {
    let node = 0;
    let found = 0;
    for (let i = at; i < bytes.length; i++) {
      const key = node * 256 + bytes[i];
      const slot = this.#slotOf(key);
      if (this.#keys[slot] !== key) break;
      node = this.#nodes[slot];
      if (this.#ends[node]) found = i + 1 - at;
    }
    return found;
  }

  /** Where a key is, or would be put. */
  #slotOf(key: number): number {
    const keys = this.#keys;
    const last = keys.length - 1;
    let slot = (Math.imul(key, 0x9e3779b1) >>> 8) & last;
    while (keys[slot] !== key && keys[slot] !== -1) slot = (slot + 1) & last;
    return slot;
  }

  #grow(): void {
    const [keys, nodes] = [this.#keys, this.#nodes];
    this.#keys = new Int32Array(2 * keys.length).fill(-1);
    this.#nodes = new Int32Array(2 * keys.length);
    for (const [i, key] of keys.entries()) {
      if (key === -1) continue;
      const slot = this.#slotOf(key);
      this.#keys[slot] = key;
      this.#nodes[slot] = nodes[i];
    }
  }
}

const utf8 = new TextEncoder();

/**
 * A lower bound on the tokens of any tokenizer whose tokens are spellings that stand one after the other in the text: every
 * next token is taken to reach as far as any token that begins before its place.
 */
export class FewestTokens {
  readonly #trie = new Trie();

  /** @param spellings bytes of all tokens */
  constructor(spellings: Iterable<Uint8Array>) {
    for (const bytes of spellings) this.#trie.add(bytes);
  }

  /**
   * Whether a text has more than `most` tokens for certain. Bytes that no token begins with cost nothing.
   * @param text in pieces; no more of them are taken than the answer needs
   */
  exceeds(text: Iterable<string>, most: number): boolean {
    const { longest } = this.#trie;
    const margin = Math.max(...longest);
    let bytes = new Uint8Array(0);
    let tokens = 0;
    // So many tokens reach every place up to `reach`, one less every place up to `before`.
    let [before, reach] = [-1, 0];
    const walk = (end: number): boolean => {
      while (reach < end) {
        let next = reach + this.#trie.longestAt(bytes, reach);
        if (next === reach) {
          reach++;
          continue;
        }
        for (let at = reach - 1; at > before; at--)
          if (at + longest[bytes[at]] > next) next = Math.max(next, at + this.#trie.longestAt(bytes, at));
        tokens++;
        if (tokens > most) return true;
        [before, reach] = [reach, next];
      }
      return false;
    };
    for (const piece of text) {
      const more = utf8.encode(piece);
      const done = before + 1;
      const joined = new Uint8Array(bytes.length - done + more.length);
      joined.set(bytes.subarray(done));
      joined.set(more, bytes.length - done);
      [bytes, before, reach] = [joined, -1, reach - done];
      if (walk(bytes.length - margin)) return true;
    }
    return walk(bytes.length);
  }
}
