import { scansOf } from '@/lib/architectures/places';
import { type BlockConfig, isDifferential, type ModelConfig } from '@/lib/checkpoint/types';

const mixers = (block: BlockConfig) => scansOf(block).length;

/** Bytes that a run of L tokens keeps: residual streams, and what every block read, passed on and added. */
export function activationBytes(config: ModelConfig, L: number): number {
  const residuals = (config.blocks.length + 1) * L * config.d;
  const inputs = config.blocks.map((block) => {
    const { E, N, H, G, d } = block.mixer;
    const whole = L * d * (isDifferential(block) ? 2 : 1);
    const perToken = H > 0 ? H + 2 * G * N : E + 2 * N;
    return whole + mixers(block) * (L * (perToken + 4 * E) + (H > 0 ? H : E * N));
  });
  return 4 * inputs.reduce((sum, values) => sum + values, residuals);
}

/** Floating-point operations of one block with its map, up to a common factor: products and the implicit attention. */
export function blockWork(block: BlockConfig, d: number, L: number): number {
  const { E, N, H } = block.mixer;
  return mixers(block) * (6 * L * E * d + (H > 0 ? L * L * (N + H) : L * L * E));
}

/** Of the lens at one entry: the unembedding of every position. */
const lensWork = ({ d, V }: ModelConfig, L: number): number => 2 * L * d * V;

const lensEntries = ({ blocks }: ModelConfig) => blocks.length + 2;

/** Work of one model's part of a run from block `first` on, with or without its lens. */
export const workLeft = (config: ModelConfig, L: number, first = 0, lensReady = false): number =>
  config.blocks.slice(first).reduce((sum, block) => sum + blockWork(block, config.d, L), 0) +
  (lensReady ? 0 : lensEntries(config) * lensWork(config, L));

/** Blocks and lens entries: what a run costs however short the prompt. */
export const stepsOf = (config: ModelConfig): number => config.blocks.length + lensEntries(config);

/** Time left from work done and work to do, assuming that both go at the same speed. */
export class Forecast {
  #done = 0;
  readonly #start = performance.now();

  constructor(private readonly total: number) {}

  add(work: number): void {
    this.#done += work;
  }

  /** Null before anything is done. */
  get secondsLeft(): number | null {
    if (this.#done === 0) return null;
    const elapsed = (performance.now() - this.#start) / 1000;
    return Math.max(0, (elapsed * (this.total - this.#done)) / this.#done);
  }
}
