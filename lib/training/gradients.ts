import * as tf from '@tensorflow/tfjs';
import { headCrossEntropy } from '@/kernels/ops';
import type { Batch } from '@/lib/data/batches';
import type { Model } from '@/lib/models';
import type { LossWeights } from './config';
import type { PartedBatch } from './rows';

/** The mean cross-entropies of a step in nats (null where nothing is labelled), and the gradients, which the caller disposes of. */
export interface StepGradients {
  /** The weighted sum that is minimised. */
  readonly loss: number;
  readonly answers: number | null;
  readonly text: number | null;
  readonly gradients: Map<string, tf.Tensor>;
  /** Whether activations were computed again. */
  readonly recomputed: boolean;
}

const KINDS = ['answers', 'text'] as const;
type Kind = (typeof KINDS)[number];
const LABELS = { answers: 'answers', text: 'labels' } as const;

/** One term of the loss: a mean over the labelled rows of a batch, and what it weighs in the whole step. */
interface Term {
  readonly kind: Kind;
  readonly labels: Int32Array;
  readonly weight: number;
  /** Share of these rows among all of their kind in the step. */
  readonly share: number;
}

const labelled = (labels: Int32Array) => labels.reduce((sum, label) => sum + (label >= 0 ? 1 : 0), 0);

/** Labels of the rows of some parts; −1 elsewhere. */
function labelsOf({ B, L, parts, ...batch }: PartedBatch, kind: Kind, wanted: readonly number[]): Int32Array {
  const labels = batch[LABELS[kind]];
  if (Array.from(parts).every((part) => wanted.includes(part))) return labels;
  const chosen = new Int32Array(B * L).fill(-1);
  for (let b = 0; b < B; b++) if (wanted.includes(parts[b])) chosen.set(labels.subarray(b * L, (b + 1) * L), b * L);
  return chosen;
}

/** The terms of a batch: one for each kind and each weight that sources give it. */
function termsOf(batch: PartedBatch, weights: readonly LossWeights[], counts: Readonly<Record<Kind, number>>): Term[] {
  return KINDS.flatMap((kind) =>
    [...new Set(weights.map((weight) => weight[kind]))].flatMap((weight): Term[] => {
      const parts = weights.flatMap((each, part) => (each[kind] === weight ? [part] : []));
      const labels = labelsOf(batch, kind, parts);
      const count = labelled(labels);
      return count > 0 ? [{ kind, labels, weight, share: count / counts[kind] }] : [];
    }),
  );
}

/** The loss of a residual stream [B,L,d] that leaves the last block. */
type LossOf = (h: tf.Tensor3D) => tf.Scalar;

/**
 * Σ weight · share · (mean cross-entropy) of the terms. A term of weight 0 is measured and not followed.
 * @param told receives the means of the terms
 */
function weightedLoss(model: Model, terms: readonly Term[], told: tf.Tensor[]): LossOf {
  const shares = terms.map(({ labels, weight, share }) => ({ labels, weight: weight * share }));
  return (h) => {
    const read = model.readout(h).reshape([-1, model.config.d]) as tf.Tensor2D;
    const { loss, means } = headCrossEntropy(read, model.head, shares);
    told.push(means);
    return loss;
  };
}

/** The residual stream that leaves the last block, with nobody to observe it. */
function lastStream(model: Model, tokens: tf.Tensor2D): tf.Tensor3D {
  const run = model.blocksFrom(model.embed(tokens), 0, [], true);
  let step = run.next();
  while (!step.done) step = run.next();
  return step.value;
}

type Gradients = Map<string, tf.Tensor>;

/** The gradients of all parameters over one tape. */
function wholeGraph(model: Model, tokens: tf.Tensor2D, lossOf: LossOf): Gradients {
  const names = [...model.parameters.keys()];
  const variables = [...model.parameters.values()];
  const { value, grads } = tf.variableGrads(() => lossOf(lastStream(model, tokens)), variables);
  value.dispose();
  return new Map(
    names.flatMap((name, i): [string, tf.Tensor][] => {
      const gradient = grads[variables[i].name];
      return gradient ? [[name, gradient]] : [];
    }),
  );
}

const EMBEDDINGS = 'backbone.embeddings.weight';

/**
 * The same gradients, to the last bit, in the memory of one block: only the residual stream between blocks is kept, and each
 * block is computed again when the backward pass comes to it (Chen et al. 2016). Costs a second forward pass.
 */
function blockByBlock(model: Model, tokens: tf.Tensor2D, lossOf: LossOf): Gradients {
  const { parameters, config } = model;
  const gradients: Gradients = new Map();
  const add = (name: string, gradient: tf.Tensor | undefined) => {
    const before = gradients.get(name);
    if (!gradient) return;
    gradients.set(name, before ? tf.keep(tf.tidy(() => before.add(gradient))) : tf.keep(gradient.clone()));
    before?.dispose();
  };
  /** Adds the gradients of the parameters that `f` reads, and returns those of `inputs`. */
  const backward = (f: () => tf.Tensor, inputs: tf.Tensor[], names: readonly string[], dy?: tf.Tensor): tf.Tensor[] =>
    tf.tidy(() => {
      const read = names.map((name) => parameters.get(name) as tf.Variable);
      const { grads } = tf.engine().gradients(f, [...inputs, ...read], dy as tf.Tensor, true);
      names.forEach((name, i) => {
        add(name, grads[inputs.length + i]);
      });
      return inputs.map((_input, i) => grads[i].clone());
    });
  const embed = () => model.embed(tokens);
  const block = (h: tf.Tensor3D, i: number) => {
    const run = model.blocksFrom(h, i, [], true);
    const residual = (run.next().value as { residual: tf.Tensor3D }).residual.clone();
    run.return(residual);
    return residual;
  };
  const inputs: tf.Tensor3D[] = [tf.tidy(embed)];
  for (let i = 0; i < config.blocks.length; i++) inputs.push(tf.tidy(() => block(inputs[i], i)));
  const inside = (name: string) => Number(/\.layers\.(\d+)\./.exec(name)?.[1] ?? Number.NaN);
  const names = [...parameters.keys()];
  const outside = names.filter((name) => Number.isNaN(inside(name)) && (config.tied || name !== EMBEDDINGS));
  const last = inputs.pop() as tf.Tensor3D;
  let [dy] = backward(() => lossOf(last), [last], outside);
  last.dispose();
  for (let i = config.blocks.length - 1; i >= 0; i--) {
    const h = inputs.pop() as tf.Tensor3D;
    const own = names.filter((name) => inside(name) === i);
    const [next] = backward(() => block(h, i), [h], own, dy);
    tf.dispose([h, dy]);
    dy = next;
  }
  backward(embed, [], [EMBEDDINGS], dy);
  dy.dispose();
  return gradients;
}

/** How a step decides whether to compute activations again; what it has measured stays with it. */
export interface Recomputation {
  readonly when: boolean | 'auto';
  /** Bytes that activations may take before `auto` computes them again. */
  readonly limit: number;
  /** Bytes of activations a token, measured once. */
  bytesPerToken?: number;
}

/** Bytes that the tape of a forward pass over one row holds, for each of its tokens. Costs one small pass. */
function bytesPerToken(model: Model, batch: Batch): number {
  const row = batch.tokens.slice(0, batch.L);
  const term: Term = { kind: 'text', labels: batch.labels.slice(0, batch.L), weight: 1, share: 1 };
  const before = tf.memory().numBytes;
  const told: tf.Tensor[] = [];
  let held = 0;
  tf.tidy(() => {
    const lossOf = weightedLoss(model, [term], told);
    const gradients = wholeGraph(model, tf.tensor2d(row, [1, batch.L], 'int32'), (h) => {
      const loss = lossOf(h);
      held = tf.memory().numBytes - before;
      return loss;
    });
    tf.dispose([...gradients.values(), ...told]);
  });
  return held / batch.L;
}

function isRecomputed(model: Model, batch: Batch, memory: Recomputation): boolean {
  if (memory.when !== 'auto') return memory.when;
  memory.bytesPerToken ??= bytesPerToken(model, batch);
  return memory.bytesPerToken * batch.tokens.length > memory.limit;
}

/**
 * Forward and backward passes over the batches of a step: weights.answers · (mean cross-entropy of the answers) +
 * weights.text · (that of every next token), each a mean over the whole step, however it is divided into batches.
 * @param weights of each part of the mixture
 */
export function stepGradients(
  model: Model,
  batches: readonly PartedBatch[],
  weights: readonly LossWeights[],
  memory: Recomputation,
): StepGradients {
  const counts = { answers: 0, text: 0 };
  for (const batch of batches) for (const kind of KINDS) counts[kind] += labelled(batch[LABELS[kind]]);
  const means = { answers: 0, text: 0 };
  let loss = 0;
  let recomputed = false;
  const gradients: Gradients = new Map();
  for (const batch of batches) {
    const terms = termsOf(batch, weights, counts);
    const told: tf.Tensor[] = [];
    const tokens = tf.tensor2d(batch.tokens, [batch.B, batch.L], 'int32');
    const again = isRecomputed(model, batch, memory);
    recomputed ||= again;
    const found = (again ? blockByBlock : wholeGraph)(model, tokens, weightedLoss(model, terms, told));
    for (const [name, gradient] of found) addTo(gradients, name, gradient);
    told[0].dataSync().forEach((mean, i) => {
      const { kind, weight, share } = terms[i];
      const value = mean * share;
      means[kind] += value;
      loss += weight * value;
    });
    tf.dispose([tokens, ...told]);
  }
  const meanOf = (kind: Kind) => (counts[kind] > 0 ? means[kind] : null);
  return { loss, answers: meanOf('answers'), text: meanOf('text'), gradients, recomputed };
}

/** Takes over a gradient. */
function addTo(sums: Gradients, name: string, gradient: tf.Tensor): void {
  const before = sums.get(name);
  sums.set(name, before ? before.add(gradient) : gradient);
  if (before) tf.dispose([before, gradient]);
}
