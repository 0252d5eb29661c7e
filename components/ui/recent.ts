interface Kept<T> {
  readonly parts: readonly unknown[];
  readonly made: T;
}

/**
 * Keeps what was made of the last few lists of parts, so that going back to one of them makes nothing anew and gives
 * the very same thing. Parts are compared by identity.
 */
export class Recent<T> {
  #kept: Kept<T>[] = [];

  /** `most`: how many things are kept; the one that was not asked for longest goes first. */
  constructor(private readonly most: number) {}

  recall(parts: readonly unknown[], make: () => T): T {
    const same = (kept: Kept<T>) =>
      kept.parts.length === parts.length && kept.parts.every((part, k) => Object.is(part, parts[k]));
    const at = this.#kept.findIndex(same);
    const found = at < 0 ? { parts, made: make() } : this.#kept[at];
    if (at >= 0) this.#kept.splice(at, 1);
    this.#kept.unshift(found);
    this.#kept.length = Math.min(this.#kept.length, this.most);
    return found.made;
  }
}
