import { totalmem } from 'node:os';
import { currentIsa, kernels, newFloats } from './addon';

/** Panels are at most this wide; the last one is padded. */
const WIDEST_PANEL = 32;
/**
 * Packing takes as long as about ten products of 64 rows gain by it, so a matrix must have come back a few times; matrices are
 * packed at different uses, so that no one pass over a model packs them all and takes twice as long as the others.
 */
const FEWEST_USES = 4;
const SPREAD_OVER = 8;

/** Products of fewer rows read the weights where they are. */
export const FEWEST_ROWS = 9;
/** Beyond these, packing anew takes less than a twentieth of the product, and panels are as many bytes as the weights. */
export const MOST_ROWS = 128;

interface Packed {
  uses: number;
  readonly packedAt: number;
  isa: string;
  panels?: Float32Array;
}

/** A matrix as one side of a product: [K, N] by strides. */
export interface Matrix {
  readonly N: number;
  readonly K: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/**
 * Weights in the order of the register tile, kept between runs. A matrix is packed when it has been used a few times
 * and costs its own size again, until all of them together reach `budget` bytes; later ones are packed in every run.
 */
export class PackedWeights {
  private readonly packed = new WeakMap<object, Map<string, Packed>>();
  private bytes = 0;
  private met = 0;

  /** @param budget bytes for all packed weights together; default an eighth of the machine's memory */
  constructor(readonly budget = totalmem() / 8) {}

  /** Bytes of packed weights. */
  get heldBytes(): number {
    return this.bytes;
  }

  /**
   * The panels of a matrix that belongs to `owner`, or null where they are not to be had (yet).
   * @param floats the matrix itself, read only when it is packed
   */
  panelsOf(owner: object, matrix: Matrix, floats: () => Float32Array): Float32Array | null {
    const { N, K, rowStride, columnStride } = matrix;
    const forms = this.packed.get(owner) ?? new Map<string, Packed>();
    this.packed.set(owner, forms);
    const key = `${N} ${K} ${rowStride}`;
    const known = forms.get(key) ?? { uses: 0, packedAt: FEWEST_USES + (this.met++ % SPREAD_OVER), isa: currentIsa() };
    forms.set(key, known);
    known.uses += 1;
    if (known.panels && known.isa === currentIsa()) return known.panels;
    if (known.uses < known.packedAt) return null;
    this.bytes -= known.panels?.byteLength ?? 0;
    const length = Math.ceil(N / WIDEST_PANEL) * WIDEST_PANEL * K;
    if (this.bytes + 4 * length > this.budget) return null;
    known.panels = newFloats(length);
    known.isa = currentIsa();
    kernels.packWeights(floats(), known.panels, N, K, rowStride, columnStride);
    this.bytes += 4 * length;
    return known.panels;
  }

  /** Forgets what was packed of `owner`: its values may change, or are gone. */
  drop(owner: object): void {
    for (const { panels } of this.packed.get(owner)?.values() ?? []) this.bytes -= panels?.byteLength ?? 0;
    this.packed.delete(owner);
  }
}
