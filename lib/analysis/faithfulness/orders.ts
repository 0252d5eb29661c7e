import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { SOURCE_ORDERS, type SourceOrder } from '@/lib/vocabulary';
import { blockForm } from '../blockForm';
import { capturedBlocks } from '../capturedBlocks';
import { branchTerms } from '../causal/branchTerms';
import type { Baseline } from '../causal/continuation';
import type { Question } from '../causal/question';
import { shareSteps } from '../contributionRollout';
import { logitDirections } from '../direction';
import { attributionMap, outputGradients } from '../gradientAttribution';
import { operatorOf, type ScanParameters } from '../operator';
import { rollout } from '../rollout';
import { attentionOf, differenceOf, mixerBranchesOf } from '../s6Attention';
import type { BlockCache } from '../s6Inputs';
import { softmaxMap } from '../softmaxForm';
import { drain, type Steps } from '../steps';
import { tidied } from '../tidied';

export { SOURCE_ORDERS as ORDERS };
export type Order = SourceOrder;

/** Orders that a model computes, as opposed to drawing them. */
export type Computed = Exclude<Order, 'random'>;

/**
 * How much each source token before the read-out token i, the last of L, matters by each order: [L − 1], more is earlier.
 *
 *     s6, block, norm   Σ over layers of |M[i,j]| / Σ_j |M[i,j]|, M the mean over channels, the norms ‖c_ij‖
 *     logit             Σ over layers of u · c_ij, u the direction of the target, or of target − foil
 *     rollout_…         row i of the product over all layers; rollout_plain is that of I + mean α
 *     attribution       row i of the product of I + (mean ∇v ⊙ mean α)⁺
 *     gradient_input    ∇e_j · e_j of the same metric, e the embeddings
 *
 * Differential blocks by their difference, mixers that stand side by side each by its own; an MLP reads no other token. Yields after every layer. Cost: that of the maps that are asked for, whole ones
 * except for `logit` and `norm`.
 * @throws InputError where `s6` or `block` of a block have no difference (λ per channel), or `rollout_plain` no sum of two mixers
 */
export function* scoresOf(
  model: Model,
  pass: Pick<Baseline, 'tokens' | 'streams' | 'L'>,
  question: Question,
  orders: readonly Computed[],
): Generator<Steps, Map<Computed, Float64Array>, void> {
  const { tokens, streams, L } = pass;
  const { blocks, d } = model.config;
  const asked = (...names: Computed[]) => names.some((name) => orders.includes(name));
  const i = L - 1;
  const found = new Map<Computed, Float64Array>(orders.map((order) => [order, new Float64Array(i)]));
  const products = new Map<Computed, Float32Array[]>(
    orders.filter((order) => /^(rollout|attribution)/.test(order)).map((order) => [order, []]),
  );
  const direction = directionOf(model, streams[streams.length - 1].subarray(i * d), question);
  const aim = { position: i, target: question.target };
  const gradients = asked('attribution') ? outputGradients(model, tokens, aim) : [];
  const maps = asked('s6', 'block', 'rollout_norm', 'rollout_alti', 'rollout_plain', 'attribution');
  const caches = maps ? capturedBlocks(model, [...tokens], [...blocks.keys()]) : undefined;
  try {
    for (const layer of blocks.keys()) {
      const cache = caches?.next().value as BlockCache | undefined;
      if (cache) {
        const branches = mixerBranchesOf(cache.kind);
        const own = branches.includes('diff') ? (['diff'] as const) : branches;
        const alphas = asked('s6', 'rollout_plain')
          ? own.map((branch) => attentionOf(cache, { branch, reduce: 'mean' }).map)
          : [];
        const row = (map: Float32Array) => map.subarray(i * L, i * L + i);
        if (asked('s6')) for (const alpha of alphas) addShares(found.get('s6'), row(alpha));
        if (asked('block')) for (const map of blockMaps(model, cache)) addShares(found.get('block'), row(map));
        const none = new Float32Array(L * L);
        if (asked('rollout_plain')) {
          if (alphas.length > 1) throw new InputError(noPlainRollout(layer));
          products.get('rollout_plain')?.push(alphas[0] ?? none);
        }
        if (asked('attribution'))
          products.get('attribution')?.push(own.length > 0 ? attributionMap(cache, gradients[layer]) : none);
        for (const measure of ['norm', 'alti'] as const)
          if (asked(`rollout_${measure}`))
            products
              .get(`rollout_${measure}`)
              ?.push(drain(shareSteps(cache, operatorOf(model, cache), streams[layer], measure)));
      }
      if (asked('norm', 'logit')) {
        const { norms, logits } = rowOf(model, pass, layer, direction);
        addShares(found.get('norm'), norms);
        found.get('logit')?.forEach((_, j, scores) => {
          scores[j] += logits[j];
        });
      }
      yield { done: layer + 1, total: blocks.length };
    }
  } finally {
    caches?.return();
  }
  for (const [order, list] of products) {
    const map = rollout(list, L, { whole: order === 'rollout_norm' || order === 'rollout_alti' });
    found.set(order, Float64Array.from(map.subarray(i * L, i * L + i)));
  }
  if (asked('gradient_input')) found.set('gradient_input', gradientTimesInput(model, pass, question));
  return found;
}

/** What of the residual stream the metric reads [d]. */
function directionOf(model: Model, final: Float32Array, { target, foil }: Question): Float64Array {
  const [right, wrong] = logitDirections(model, final, foil === undefined ? [target] : [target, foil]);
  return wrong ? right.map((value, c) => value - wrong[c]) : right;
}

/** Adds |values| as shares of their sum; nothing where all are 0. */
function addShares(scores: Float64Array | undefined, values: ArrayLike<number>): void {
  let sum = 0;
  for (let j = 0; j < values.length; j++) sum += Math.abs(values[j]);
  if (scores && sum > 0) for (let j = 0; j < scores.length; j++) scores[j] += Math.abs(values[j]) / sum;
}

/** The signed mean over channels of the whole-block map of each mixer, or the difference of the branches'. */
function blockMaps(model: Model, cache: BlockCache): Float32Array[] {
  const { scans } = operatorOf(model, cache);
  const [first, second] = [...cache.scans].map(([name, inputs]) =>
    blockForm(inputs, scans.get(name) as ScanParameters, { how: 'mean' }),
  );
  if (second) return [differenceOf(first, second, cache).map];
  const { attention } = cache;
  return [...(first ? [first.map] : []), ...(attention ? [softmaxMap(attention, { how: 'mean' }).map] : [])];
}

/** Why the maps of a layer cannot be multiplied as they are. */
export const noPlainRollout = (layer: number): string =>
  `Layer ${layer} has attention beside a scan, whose maps have no common scale: take the rollout of norm or alti, which has.`;

/** ‖c_ij‖ and u · c_ij of the sources before the last token, through one block. */
function rowOf(model: Model, pass: Pick<Baseline, 'streams' | 'L'>, layer: number, direction: Float64Array) {
  const { first, second } = branchTerms(model, pass, layer);
  const d = direction.length;
  const [norms, logits] = [new Float64Array(pass.L - 1), new Float64Array(pass.L - 1)];
  for (let j = 0; j < norms.length; j++) {
    for (let c = 0; c < d; c++) {
      const value = first[j * d + c] - (second?.[j * d + c] ?? 0);
      norms[j] += value * value;
      logits[j] += value * direction[c];
    }
    norms[j] = Math.sqrt(norms[j]);
  }
  return { norms, logits };
}

/** ∇e_j · e_j of the metric for every token before the last. Cost: one forward and one backward pass. */
function gradientTimesInput(
  model: Model,
  { tokens, streams: [embedded], L }: Pick<Baseline, 'tokens' | 'streams' | 'L'>,
  { target, foil }: Question,
): Float64Array {
  const { d } = model.config;
  return tidied(() => {
    const metric = (edit: tf.Tensor) => {
      const hook: Hook = ['hook_embed', (value) => value.add(edit)];
      const logits = model.forward([tokens], { hooks: [hook], logits: 'last' });
      const at = (token: number) => logits.slice([0, 0, token], [1, 1, 1]).sum();
      return foil === undefined ? at(target) : at(target).sub(at(foil));
    };
    const slope = tf
      .grad(metric)(tf.zeros([1, L, d]))
      .dataSync();
    return Float64Array.from({ length: L - 1 }, (_, j) => {
      let sum = 0;
      for (let c = j * d; c < (j + 1) * d; c++) sum += slope[c] * embedded[c];
      return sum;
    });
  });
}
