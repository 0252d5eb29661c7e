import * as tf from '@tensorflow/tfjs';
import { type Model, silent, type Tokens } from '@/lib/models';
import { valuesOf } from './blockForm';
import { type ContributionMap, heldMixer, isWhole, termsOf } from './contributions';
import type { Operator } from './operator';
import { relativeError } from './reconstruction';
import type { Branch } from './s6Attention';
import type { BlockCache } from './s6Inputs';
import { tidied } from './tidied';

/** Contributions to one logit. */
export interface LogitMap extends ContributionMap {
  /** What no token gives, from biases [L]: row sum + rest is what the block (or branch) adds to the logit. */
  readonly rest: Float32Array;
}

/** The residual stream after the last block, of one row [L,d] in memory of its own. */
export function finalResidual(model: Model, tokens: Tokens): Float32Array {
  const stream = model.residualStream(tokens, silent);
  const values = valuesOf(stream);
  stream.dispose();
  return values;
}

/**
 * What every source token j adds through one block to a logit at position i: exact and signed.
 * M[i,j] = Σ_e u_i·W_e A_e[i,j] x0_j[e] over the channels of the branch; `rest` holds the bias terms, and row sum + rest
 * equals the block's own contribution. Every norm's scale is a constant of its position.
 *
 * Cost: one sum of folded maps over every channel (`blockAttention`) a scan, and two products of [L,d] by [d,E].
 * @param direction u of {@link logitDirection} [L,d]
 * @throws InputError where the block has no such branch
 */
export function logitForm(cache: BlockCache, operator: Operator, direction: Float32Array, branch: Branch): LogitMap {
  const { d, fixed } = operator;
  const L = direction.length / d;
  const map = new Float32Array(L * L);
  const rest = new Float32Array(L);
  const expected = new Float32Array(L);
  for (const { mixer, weight } of termsOf(cache, operator, branch)) {
    const held = heldMixer(cache, operator, mixer);
    const term = tidied(() => {
      const read = tf.matMul(tf.tensor2d(direction, [L, d]), tf.tensor2d(weight, [d, held.E])) as tf.Tensor2D;
      const inner = held.inner();
      return {
        map: valuesOf(held.along(read)),
        rest: valuesOf(tf.sum(inner.rest.mul(read), 1)),
        expected: valuesOf(tf.sum(inner.forward.mul(read), 1)),
      };
    });
    held.dispose();
    addTo(map, term.map);
    addTo(rest, term.rest);
    addTo(expected, term.expected);
  }
  if (isWhole(branch)) {
    if (fixed) addTo(rest, rowDots(fixed, direction, d));
    expected.set(rowDots(cache.out, direction, d));
  }
  const sums = Float64Array.from(rest, (value, i) =>
    map.subarray(i * L, i * L + i + 1).reduce((sum, each) => sum + each, value),
  );
  const whose = branch === 'diff' ? 'difference of the branches, exact' : branch;
  return {
    map,
    rest,
    L,
    reconstructionError: relativeError(sums, expected),
    convention: `signed contribution to the logit, every norm frozen (${whose}); row sum + rest is the block's own`,
  };
}

function addTo(total: Float32Array, values: ArrayLike<number>): void {
  for (let k = 0; k < total.length; k++) total[k] += values[k];
}

/** a_i · b_i for the rows of two [L,d] arrays. */
function rowDots(a: Float32Array, b: Float32Array, d: number): Float64Array {
  return Float64Array.from({ length: a.length / d }, (_, i) => {
    let sum = 0;
    for (let r = i * d; r < (i + 1) * d; r++) sum += a[r] * b[r];
    return sum;
  });
}
