import * as tf from '@tensorflow/tfjs';
import { attentionAt, scansAt } from '@/lib/architectures/places';
import { InputError, isHybrid } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { valuesOf } from './blockForm';
import type { MixerName } from './operator';
import { type Reduction, scanAttention } from './s6Attention';
import type { AttentionInputs, BlockCache, S6Inputs } from './s6Inputs';
import { softmaxMap } from './softmaxForm';
import { tidied } from './tidied';

/** Gradient of one logit with respect to what each mixer's output projection reads, mean over channels [L], by block and mixer. */
export type OutputGradients = readonly ReadonlyMap<MixerName, Float32Array>[];

interface Place {
  readonly index: number;
  readonly mixer: MixerName;
  readonly name: string;
  readonly E: number;
}

/**
 * ∂ logit[position, target] / ∂ v for the gated output v [L,E] of every scan: what enters the output projection, after the
 * gated norm of Mamba-2 kinds, and for z of attention. The mean over channels is kept. λ of a differential block is in the gradient of its second
 * branch.
 *
 * Cost: one forward and one backward pass. Memory: the activations of a training step of one row.
 */
export function outputGradients(
  model: Model,
  row: readonly number[],
  { position, target }: { readonly position: number; readonly target: number },
): OutputGradients {
  const { blocks } = model.config;
  const places = blocks.flatMap((block, index): Place[] => {
    const scans = scansAt(index, block).map(({ name, inner, at }) => ({
      index,
      mixer: name,
      name: at(inner),
      E: block.mixer.E,
    }));
    const attention = attentionAt(index, block);
    if (!attention || !isHybrid(block) || !block.attention) return scans;
    const { H, D } = block.attention;
    return [...scans, { index, mixer: 'attention', name: attention.at('z'), E: H * D }];
  });
  const L = row.length;
  const means = tidied(() => {
    const logit = (...edits: tf.Tensor[]) => {
      const hooks = places.map(({ name }, k): Hook => [name, (value) => value.add(edits[k])]);
      return model
        .forward([row], { hooks, logits: [position] })
        .slice([0, 0, target], [1, 1, 1])
        .sum();
    };
    const zeros = places.map(({ E }) => tf.zeros([1, L, E]));
    return tf
      .grads(logit)(zeros)
      .map((gradient) => valuesOf(tf.mean(gradient, 2)));
  });
  return blocks.map(
    (_, index) =>
      new Map(places.flatMap((place, k) => (place.index === index ? [[place.mixer, means[k]] as const] : []))),
  );
}

/**
 * max_c (∂ logit[position, target] / ∂ h[·,c])⁺ of the residual stream h that enters every block, scaled to 0 … 1 over its
 * positions [L]: what the published code of Mamba-Attribution weighs its maps with.
 *
 * Cost and memory: those of {@link outputGradients}.
 */
export function streamGradients(
  model: Model,
  row: readonly number[],
  { position, target }: { readonly position: number; readonly target: number },
): Float32Array[] {
  const { blocks, d } = model.config;
  return tidied(() => {
    const logit = (...edits: tf.Tensor[]) => {
      const hooks = edits.map((edit, k): Hook => [`blocks.${k}.hook_resid_pre`, (value) => value.add(edit)]);
      return model
        .forward([row], { hooks, logits: [position] })
        .slice([0, 0, target], [1, 1, 1])
        .sum();
    };
    return tf
      .grads(logit)(blocks.map(() => tf.zeros([1, row.length, d])))
      .map((gradient) => scaled(valuesOf(tf.max(tf.relu(gradient), 2))));
  });
}

/** (value − least) / (most − least); 0 where all are equal. */
function scaled(values: Float32Array): Float32Array {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return values.map((value) => (most > least ? (value - least) / (most - least) : 0));
}

/**
 * One layer of Mamba-Attribution as its published code makes it (github.com/AmeenAli/HiddenMambaAttn, `vim/xai_utils.py`),
 * which is not the formula of {@link attributionMap}: what is negative is cut off every channel's α, not off the product; α
 * is scaled to 0 … 1 over all channels before their mean is taken; the gradient is that of the residual stream
 * ({@link streamGradients}) and weighs sources, not targets. Roll it out with `normalised`.
 * Cost: the map of every channel, or head, one by one.
 * @throws InputError for a differential block, which that code does not know.
 */
export function attributionCodeMap(block: BlockCache, weights: Float32Array): Float32Array {
  const inputs = block.scans.get('single');
  const { attention } = block;
  if (inputs ? attention : !attention)
    throw new InputError(
      `Layer ${block.index} (${block.kind}) has two mixers, and the published code of Mamba-Attribution knows blocks of one: take attribution, or norm.`,
    );
  const L = weights.length;
  const [how, units] =
    inputs?.family === 'mamba1' ? (['channel', inputs.E] as const) : (['head', headsOf(block)] as const);
  const mean = new Float32Array(L * L);
  let most = 0;
  for (let index = 0; index < units; index++)
    mixerMap(block, inputs ? 'single' : 'attention', { how, index }).forEach((value, k) => {
      mean[k] += Math.max(0, value) / units;
      most = Math.max(most, value);
    });
  return mean.map((value, k) => (most > 0 ? (value / most) * weights[k % L] : 0));
}

/**
 * One layer of Mamba-Attribution (Ali et al., arXiv 2403.01590; equations C1): (mean_e ∇v ⊙ mean_e α)⁺ [L,L], each
 * target's row weighed by the gradient at that target. In a differential block the terms of the branches are added
 * before what is negative is cut off. Roll it out over layers with {@link rollout}.
 * @param meanOf mean map of a mixer, where it is at hand
 */
export function attributionMap(
  block: BlockCache,
  gradients: ReadonlyMap<MixerName, Float32Array>,
  meanOf = (mixer: MixerName) => mixerMap(block, mixer, { how: 'mean' }),
): Float32Array {
  const mixers: MixerName[] = [...block.scans.keys(), ...(block.attention ? (['attention'] as const) : [])];
  const terms = mixers.map((mixer) => {
    const gradient = gradients.get(mixer);
    if (!gradient) throw new Error(`There is no gradient of ${mixer}.`);
    return meanOf(mixer).map((value, k) => value * gradient[Math.floor(k / gradient.length)]);
  });
  return terms[0].map((_, k) =>
    Math.max(
      0,
      terms.reduce((sum, term) => sum + term[k], 0),
    ),
  );
}

/** The map of a mixer of a block by itself: of a scan, or the softmax weights of attention. */
const mixerMap = ({ scans, attention }: BlockCache, mixer: MixerName, reduction: Reduction): Float32Array =>
  mixer === 'attention'
    ? softmaxMap(attention as AttentionInputs, reduction).map
    : scanAttention(scans.get(mixer) as S6Inputs, reduction).map;

/** Heads of the one mixer of a block. */
function headsOf({ scans, attention }: BlockCache): number {
  const inputs = scans.get('single');
  return inputs?.family === 'mamba2' ? inputs.H : (attention?.H ?? 0);
}
