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

/**
 * How much of what a block reads at one token comes from each class of token (docs/analyses.md, allocation).
 * @param parts what source token j adds to the residual stream, [L,d]
 * @param classes [L], places in {@link TOKEN_CLASSES}
 * @param direction what of the residual stream the metric reads, [d]
 * Cost: 4 L d, in float64.
 */
export function massesOf(parts: Float32Array, classes: Uint8Array, direction: Float64Array): PartMasses {
  const d = direction.length;
  const make = () => new Float64Array(TOKEN_CLASSES.length);
  const [norm, projection, alti, logit] = [make(), make(), make(), make()];
  const output = new Float64Array(d);
  for (let j = 0; j < classes.length; j++) for (let c = 0; c < d; c++) output[c] += parts[j * d + c];
  let [squares, size] = [0, 0];
  for (const value of output) {
    squares += value * value;
    size += Math.abs(value);
  }
  for (let j = 0; j < classes.length; j++) {
    let [own, along, away, read] = [0, 0, 0, 0];
    for (let c = 0; c < d; c++) {
      const value = parts[j * d + c];
      own += value * value;
      along += value * output[c];
      away += Math.abs(output[c] - value);
      read += value * direction[c];
    }
    const place = classes[j];
    norm[place] += Math.sqrt(own);
    projection[place] += along / squares;
    alti[place] += Math.max(0, size - away);
    logit[place] += read;
  }
  return { norm, projection, alti, logit };
}

/** What two branches have in common, class by class; c² stands for λ·c². */
export interface BranchMasses {
  /** Σ ‖c¹‖² and Σ ‖c²‖² */
  readonly squares: readonly [Float64Array, Float64Array];
  /** Σ ⟨c¹, c²⟩ */
  readonly product: Float64Array;
}

/** @param first,second [L,d] @param classes [L] */
export function commonOf(first: Float32Array, second: Float32Array, classes: Uint8Array, d: number): BranchMasses {
  const make = () => new Float64Array(TOKEN_CLASSES.length);
  const [one, two, product] = [make(), make(), make()];
  for (let j = 0; j < classes.length; j++)
    for (let at = j * d; at < (j + 1) * d; at++) {
      one[classes[j]] += first[at] * first[at];
      two[classes[j]] += second[at] * second[at];
      product[classes[j]] += first[at] * second[at];
    }
  return { squares: [one, two], product };
}
