/** Device pixels of all pictures that are kept together: 32 MB. */
const ROOM = 2 ** 23;

/**
 * Pictures that were drawn lately, each for what it was drawn of, so that going back to one draws nothing. Those that
 * were not shown longest are given up when all together have more than `room` pixels.
 */
export class Pictures<K extends object, P extends { readonly width: number; readonly height: number }> {
  readonly #kept = new Map<K, P>();
  #pixels = 0;

  constructor(
    private readonly giveUp: (picture: P) => void,
    private readonly room = ROOM,
  ) {}

  of(key: K, make: () => P | undefined): P | undefined {
    const known = this.#kept.get(key);
    const picture = known ?? make();
    if (!picture) return undefined;
    // A map's keys stand in the order in which they were put in.
    this.#kept.delete(key);
    this.#kept.set(key, picture);
    if (!known) this.#pixels += picture.width * picture.height;
    for (const [old, other] of this.#kept) {
      if (this.#pixels <= this.room || old === key) break;
      this.#kept.delete(old);
      this.#pixels -= other.width * other.height;
      this.giveUp(other);
    }
    return picture;
  }
}
