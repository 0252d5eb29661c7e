import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import { valuesOf } from './blockForm';

export interface RolloutOptions {
  /** First layer that takes part; those below count as the identity. Default 0. */
  readonly start?: number;
  /** Divide every row of I + M by its sum, as the published code does. Default false, as in the paper. */
  readonly normalised?: boolean;
  /** The residual stream has its share in the maps already, as in `shareSteps`: no identity is added. */
  readonly whole?: boolean;
}

/** Row sums smaller than this share of the row's magnitudes cannot be divided by. */
const CANCELLED = 1e-6;

/**
 * Attention rollout: ρ = β_n … β_start, later layers on the left. Of maps that hold the residual stream's own share (`whole`)
 * it is the share of position i that comes from source j. The published one (Ali et al., arXiv 2403.01590; equations C1) has
 * β_l = I + M_l, M_l the mean α of the layer: I is a share of the residual stream and α, which stands before the output
 * projection, has no scale in it, so its values are no shares of anything.
 *
 * Cost: a product of [L,L] matrices a layer. Memory: three maps.
 * @param maps one [L,L] map a layer, in order
 * @throws InputError for a start outside the layers, where a row cannot be normalised because its signs cancel, or where
 * the product is not finite
 */
export function rollout(maps: Iterable<Float32Array>, L: number, options: RolloutOptions = {}): Float32Array {
  const steps = rolloutSteps(maps, L, options);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** {@link rollout} that yields the number of layers taken after each of them. */
export function* rolloutSteps(
  maps: Iterable<Float32Array>,
  L: number,
  { start = 0, normalised = false, whole = false }: RolloutOptions = {},
): Generator<number, Float32Array, void> {
  let product: tf.Tensor2D | undefined;
  let layer = 0;
  try {
    for (const map of maps) {
      if (layer >= start) {
        const before = product;
        const one = whole ? map : withIdentity(map, L);
        const step = normalised ? normalisedRows(one, L, layer) : one;
        product = tf.tidy(() => {
          const beta = tf.tensor2d(step, [L, L]);
          return before ? (tf.matMul(beta, before) as tf.Tensor2D) : beta;
        });
        before?.dispose();
      }
      layer += 1;
      yield layer;
    }
    if (!product) throw new InputError(`There is no layer ${start} to start from: layers go from 0 to ${layer - 1}.`);
    const values = valuesOf(product);
    if (values.every(Number.isFinite)) return values;
    throw new InputError(
      'The product of the layers is not finite: a layer holds NaN or infinity, or its values are too large to multiply.',
    );
  } finally {
    product?.dispose();
  }
}

function withIdentity(map: Float32Array, L: number): Float32Array {
  const beta = map.slice();
  for (let i = 0; i < L; i++) beta[i * L + i] += 1;
  return beta;
}

function normalisedRows(beta: Float32Array, L: number, layer: number): Float32Array {
  for (let i = 0; i < L; i++) {
    const row = beta.subarray(i * L, (i + 1) * L);
    const sum = row.reduce((total, value) => total + value, 0);
    const size = row.reduce((total, value) => total + Math.abs(value), 0);
    if (!(sum > CANCELLED * size))
      throw new InputError(
        `Row ${i} of layer ${layer} sums to ${sum.toPrecision(3)}, so it cannot be normalised: take the plain rollout, or means of magnitudes where the block does not subtract.`,
      );
    for (let j = 0; j <= i; j++) row[j] /= sum;
  }
  return beta;
}
