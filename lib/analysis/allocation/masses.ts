import * as tf from '@tensorflow/tfjs';
import { partSizes } from '@/kernels/ops';
import { TOKEN_CLASSES } from '@/lib/vocabulary';

/** Sums over the tokens of each class, in the order of {@link TOKEN_CLASSES}. */
export interface PartMasses {
  /** Σ ‖c_j‖₂ */
  readonly norm: Float64Array;
  /** ⟨Σ c_j, o⟩ / ‖o‖², o the sum of all parts: signed, 1 over all classes; NaN where o is 0 */
  readonly projection: Float64Array;
  /** Σ max(0, ‖o‖₁ − ‖o − c_j‖₁) */
  readonly alti: Float64Array;
  /** Σ u · c_j, in logits */
  readonly logit: Float64Array;
}

/** The same before it is known what of the residual stream the metric reads. */
export interface UnreadMasses extends Omit<PartMasses, 'logit'> {
  /** Σ c_j [classes,d] */
  readonly sums: Float64Array;
}

/** What is known of the parts, row by row. */
export interface Parts {
  /** ‖c_j‖² [L] */
  readonly squares: Float64Array;
  readonly masses: UnreadMasses;
}

/**
 * How much of what a block reads at one token comes from each class of token (docs/analyses.md, allocation).
 * @param parts what source token j adds to the residual stream, [L,d]
 * @param classes [L], places in {@link TOKEN_CLASSES}
 * Cost: 8 L d; call it inside `tf.tidy`.
 */
export function massesOf(parts: tf.Tensor2D, classes: Uint8Array): Parts {
  const make = () => new Float64Array(TOKEN_CLASSES.length);
  const [norm, projection, alti] = [make(), make(), make()];
  const inClasses = tf.unsortedSegmentSum(parts, tf.tensor1d([...classes], 'int32'), TOKEN_CLASSES.length);
  const sums = Float64Array.from(inClasses.dataSync());
  const d = sums.length / TOKEN_CLASSES.length;
  const output = new Float64Array(d);
  for (let at = 0; at < sums.length; at += d) for (let c = 0; c < d; c++) output[c] += sums[at + c];
  const whole = output.reduce((sum, value) => sum + value * value, 0);
  const sizes = partSizes(parts, tf.tensor1d(Float32Array.from(output))).dataSync();
  const squares = new Float64Array(classes.length);
  classes.forEach((place, j) => {
    squares[j] = sizes[3 * j];
    norm[place] += Math.sqrt(squares[j]);
    projection[place] += sizes[3 * j + 1] / whole;
    alti[place] += Math.max(0, sizes[3 * j + 2]);
  });
  return { squares, masses: { norm, projection, alti, sums } };
}

/** @param direction what of the residual stream the metric reads, [d] */
export function readAlong({ sums, ...masses }: UnreadMasses, direction: Float64Array): PartMasses {
  const d = direction.length;
  const logit = Float64Array.from({ length: sums.length / d }, (_, place) => {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += sums[place * d + c] * direction[c];
    return sum;
  });
  return { ...masses, logit };
}

/** What two branches have in common, class by class; c² stands for λ·c². */
export interface BranchMasses {
  /** Σ ‖c¹‖² and Σ ‖c²‖² */
  readonly squares: readonly [Float64Array, Float64Array];
  /** Σ ⟨c¹, c²⟩ */
  readonly product: Float64Array;
}

/** @param squares ‖c¹_j‖², ‖c²_j‖² and ‖c¹_j − c²_j‖², [L] each: ⟨c¹, c²⟩ is half of what the last one lacks */
export function commonOf(
  squares: readonly [Float64Array, Float64Array, Float64Array],
  classes: Uint8Array,
): BranchMasses {
  const make = () => new Float64Array(TOKEN_CLASSES.length);
  const [one, two, product] = [make(), make(), make()];
  const [first, second, difference] = squares;
  classes.forEach((place, j) => {
    one[place] += first[j];
    two[place] += second[j];
    product[place] += (first[j] + second[j] - difference[j]) / 2;
  });
  return { squares: [one, two], product };
}
