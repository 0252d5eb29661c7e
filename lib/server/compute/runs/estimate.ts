import { scansOf } from '@/lib/architectures/places';
import { type BlockConfig, isDifferential, isHybrid, type ModelConfig } from '@/lib/checkpoint/types';

const mixers = (block: BlockConfig) => scansOf(block).length;

/** Bytes that a run of L tokens keeps of a block: the residual stream behind it, and what it read, passed on and added. */
export function keptBytes(block: BlockConfig, L: number): number {
  const { E, N, H, G, d } = block.mixer;
  const whole = L * d * (isDifferential(block) ? 3 : 2);
  const perToken = H > 0 ? H + 2 * G * N : E + 2 * N;
  const attention = isHybrid(block) ? block.attention : undefined;
  const attended = attention ? 2 * L * (attention.H + attention.KV) * attention.D : 0;
  return 4 * (whole + attended + mixers(block) * (L * (perToken + 4 * E) + (H > 0 ? H : E * N)));
}

/** Bytes that a run of L tokens keeps: those of every block, and the embedding. */
export const activationBytes = ({ blocks, d }: ModelConfig, L: number): number =>
  blocks.reduce((sum, block) => sum + keptBytes(block, L), 4 * L * d);

/** What is said to be left is not taken back for less than this: a share of itself, and seconds. */
const MOST_SHARE = 1.3;
const MOST_SECONDS = 1;

/**
 * Time left from work done and work to do. Where the device is known, work is in the seconds that it should take, and the
 * beginning of a run is not trusted with more than it shows: where it goes faster than expected, the rest is believed to by
 * no more than the share that is done. What is said falls, and stays where the work is a little behind it;
 * only where the machine has clearly become slower is more said than before, at once and by all that it is.
 */
export class Forecast {
  #done = 0;
  #said = Number.POSITIVE_INFINITY;
  readonly #start = performance.now();

  /**
   * @param total work to do
   * @param prior work that counts as done at the expected speed of one unit a second; 0 where nothing is expected
   */
  constructor(
    private readonly total: number,
    private readonly prior = 0,
  ) {}

  add(work: number): void {
    this.#done += work;
  }

  /** Null before anything is done or known. */
  get secondsLeft(): number | null {
    if (this.#done + this.prior === 0) return null;
    const elapsed = (performance.now() - this.#start) / 1000;
    const perUnit = (elapsed + this.prior) / (this.#done + this.prior);
    const pace = this.prior > 0 && perUnit < 1 ? 1 - (1 - perUnit) * this.share : perUnit;
    const left = Math.max(0, pace * (this.total - this.#done));
    if (left < this.#said || left > MOST_SHARE * this.#said + MOST_SECONDS) this.#said = left;
    return this.#said;
  }

  /** Work done of all there is, 0 … 1. */
  get share(): number {
    return this.total > 0 ? Math.min(1, this.#done / this.total) : 0;
  }
}
