import fc from 'fast-check';
import { ARCHITECTURES, blockOf, familyOf } from '@/lib/architectures';
import { expectedTensors } from '@/lib/checkpoint/schema';
import {
  BLOCK_KINDS,
  type BlockConfig,
  type LambdaForm,
  type ModelConfig,
  type SingleKind,
} from '@/lib/checkpoint/types';
import { createModel, type Model } from '@/lib/models';

/** A small model to be made, with tokens for it. */
export interface RandomCase {
  readonly kinds: readonly SingleKind[];
  readonly seed: number;
  readonly heads: number;
  readonly groups: number;
  readonly N: number;
  readonly K: number;
  readonly tokens: readonly number[];
  /** A second prompt of the same length. */
  readonly others: readonly number[];
}

const V = 23;

/** Of the block norms and the gated norms, far enough from that of the subln that the two cannot be mixed up. */
const EPSILON = 1e-2;

const LAMBDAS: readonly LambdaForm[] = ['sigmoid_scalar', 'sigmoid_channel', 'exp', 'sigmoid_sum', { constant: 0.4 }];

const prompts = (longest: number) =>
  fc.integer({ min: 2, max: longest }).chain((L) => {
    const prompt = fc.array(fc.integer({ min: 0, max: V - 1 }), { minLength: L, maxLength: L });
    return fc.tuple(prompt, prompt);
  });

/** Models of one to three blocks of any kinds, with random sizes, weights and prompts. */
export const randomCases = (longest = 9, kinds: readonly SingleKind[] = BLOCK_KINDS): fc.Arbitrary<RandomCase> =>
  fc
    .record({
      kinds: fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 3 }),
      seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      groups: fc.constantFrom(1, 2),
      headsPerGroup: fc.constantFrom(1, 2),
      N: fc.integer({ min: 1, max: 5 }),
      K: fc.integer({ min: 1, max: 4 }),
      prompts: prompts(longest),
    })
    .map(({ groups, headsPerGroup, prompts: [tokens, others], ...rest }) => ({
      ...rest,
      groups,
      heads: groups * headsPerGroup,
      tokens,
      others,
    }));

/** The model of a case; equal cases give equal models. */
export function randomModel({ kinds, seed, heads, groups, N, K }: Omit<RandomCase, 'tokens' | 'others'>): Model {
  const d = 8 * heads;
  const blocks = kinds.map((kind): BlockConfig => {
    const ssd = familyOf(kind) === 'mamba2';
    const E = ARCHITECTURES[kind].expand * d;
    const mixer = {
      d,
      E,
      N,
      K,
      R: ssd ? 0 : 3,
      H: ssd ? heads : 0,
      P: ssd ? E / heads : 0,
      G: ssd ? groups : 0,
      timeStepLimit: [0, Number.POSITIVE_INFINITY] as const,
      useBias: seed % 2 === 0,
      useConvBias: true,
      epsilon: EPSILON,
    };
    return blockOf(kind, mixer, { lambda: LAMBDAS[seed % LAMBDAS.length], lambdaInit: 0.3, subln: seed % 3 > 0 });
  });
  const config: ModelConfig = { format: 'statescope', d, V, vocabulary: V, epsilon: EPSILON, tied: true, blocks };
  const random = generator(seed);
  const tensors = new Map(
    [...expectedTensors(config)].map(([name, shape]) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => drawOf(name, random()));
      return [name, { sourceName: name, shape, dtype: 'float32' as const, data }];
    }),
  );
  return createModel({ path: '', name: `random ${seed}`, config, tensors, parameterCount: 0 });
}

/** @param unit uniform in [−1, 1) */
function drawOf(name: string, unit: number): number {
  if (/A[12]?_log$/.test(name)) return unit;
  if (/(norm|norm_f|subln)\.weight$/.test(name)) return 1 + 0.3 * unit;
  return /_proj/.test(name) ? 0.6 * unit : unit;
}

/** Uniform in [−1, 1): mulberry32. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
