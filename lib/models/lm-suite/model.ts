import * as tf from '@tensorflow/tfjs';
import { architectureOf } from '@/lib/architectures';
import { type Weights, weightsOf } from '@/lib/architectures/weights';
import { InputError } from '@/lib/checkpoint/types';
import { type Hook, listen, type Tap } from '../hooks';
import { tokenTensor } from '../model';
import { type LogitPositions, positionsIn, rowsAt, type Tokens } from '../positions';
import { adaptiveEmbedding } from './adaptive-embedding';
import { adaptiveSoftmax } from './adaptive-softmax';
import { type LmSuiteConfig, type SubLayer, subLayersOf } from './config';
import { type Dropout, type DropoutOptions, dropoutOf } from './dropout';
import { feedForward } from './feed-forward';
import { layerNorm } from './layer-norm';
import { lmSuiteTensors, mixerTensors, suiteName } from './shapes';

/** A weight as it comes from a file or an initialisation. */
export interface LmSuiteTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface LmSuiteOptions extends DropoutOptions {
  readonly hooks?: readonly Hook[];
}

export interface LmSuiteForwardOptions extends LmSuiteOptions {
  /** Which positions go through the softmax. Default all. */
  readonly logits?: LogitPositions;
}

/**
 * A model of the paper's language-model suite (equations A3). Shapes as in `Model`; hook points are told in
 * docs/hooks.md. All tensors are float32 on the current device; whoever receives a tensor disposes of it.
 */
export interface LmSuiteModel {
  readonly config: LmSuiteConfig;
  /** By the names of `lmSuiteTensors`. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  /** ln p(next token) [B,L,V], [B,1,V] with `logits: 'last'`, or [B,count,V] of a list of positions. */
  forward(tokens: Tokens, options?: LmSuiteForwardOptions): tf.Tensor3D;
  /**
   * Mean of −ln p(label) in nats over the positions whose label is not negative; labels [B,L] belong to the tokens at
   * the same place (the next tokens, for a language model). Differentiable. It does not form `hook_logits`.
   */
  loss(tokens: Tokens, labels: Tokens, options?: LmSuiteOptions): tf.Scalar;
  /** As `forward`, and keeps the tensors whose names match. */
  runWithCache(
    tokens: Tokens,
    options: LmSuiteForwardOptions & { readonly names: readonly string[] },
  ): { logits: tf.Tensor3D; cache: Map<string, tf.Tensor> };
  /** The residual stream after the last sub-layer [B,L,d], observed by a tap, without dropout. */
  residualStream(tokens: Tokens, tap: Tap): tf.Tensor3D;
  /** Residual stream [B,L,d] → ln p [B,L,V], with `hook_logits`. */
  unembed(h: tf.Tensor3D, hooks?: readonly Hook[]): tf.Tensor3D;
  /** Checked token ids as an int32 tensor [B,L]. */
  tokenTensor(tokens: Tokens): tf.Tensor2D;
  dispose(): void;
}

const NAME = 'the language model';

/**
 * Puts the weights of a suite model on the device. Cost: one copy of the weights.
 * @throws InputError when the sizes do not fit together, or a tensor is missing, unknown or of the wrong shape
 */
export function createLmSuiteModel(config: LmSuiteConfig, tensors: ReadonlyMap<string, LmSuiteTensor>): LmSuiteModel {
  checkTensors(config, tensors);
  const parameters = new Map<string, tf.Variable>();
  for (const [name, { data, shape }] of tensors)
    parameters.set(
      name,
      tf.tidy(() => tf.variable(tf.tensor(data, [...shape], 'float32'), true)),
    );
  const weights = weightsOf(parameters);
  const residual = config.dropout.residual;
  const steps = subLayersOf(config).map((layer, j) => ({ j, apply: subLayer(layer, parameters, j, residual) }));

  function streamAt(tokens: Tokens, tap: Tap, drop: Dropout): tf.Tensor3D {
    return tf.tidy(() => {
      const ids = tokenTensor(tokens, config.V, NAME);
      const embedded = adaptiveEmbedding(idsOf(ids), config, weights.under('encoder'), drop);
      let h = tap.at('hook_embed', embedded.reshape([...ids.shape, config.d]) as tf.Tensor3D);
      for (const { j, apply } of steps) {
        const before = h;
        h = tf.tidy(() => stepAt(before, apply, weights.under(`layers.${j}.norm.norm`), j, tap, drop));
      }
      return h;
    });
  }

  function stepAt(h: tf.Tensor3D, apply: Apply, norm: Weights, j: number, tap: Tap, drop: Dropout): tf.Tensor3D {
    const at = tap.scope(`sublayers.${j}`);
    const x = at.at('hook_resid_pre', h);
    const sum = at.at('hook_resid_sum', x.add(drop(apply(x, at, drop), residual, `sublayer ${j}`)) as tf.Tensor3D);
    return at.at('hook_resid_post', layerNorm(sum, norm));
  }

  function unembedAt(h: tf.Tensor3D, tap: Tap, drop: Dropout): tf.Tensor3D {
    return tf.tidy(() => {
      const [B, L] = h.shape;
      const softmax = adaptiveSoftmax(config, weights, drop);
      const logProbabilities = softmax.logProbabilities(h.reshape([B * L, config.d]));
      return tap.at('hook_logits', logProbabilities.reshape([B, L, config.V]) as tf.Tensor3D);
    });
  }

  function forward(tokens: Tokens, { hooks = [], logits = 'all', ...dropout }: LmSuiteForwardOptions = {}) {
    return tf.tidy(() => {
      const [tap, drop] = [listen(hooks), dropoutOf(dropout)];
      const h = streamAt(tokens, tap, drop);
      return unembedAt(logits === 'all' ? h : rowsAt(h, positionsIn(logits, h.shape[1])), tap, drop);
    });
  }

  return {
    config,
    parameters,
    forward,
    loss: (tokens, labels, { hooks = [], ...dropout } = {}) =>
      tf.tidy(() => {
        const drop = dropoutOf(dropout);
        const h = streamAt(tokens, listen(hooks), drop);
        const wanted = labelIds(labels, config.V, h.shape[0] * h.shape[1]);
        return adaptiveSoftmax(config, weights, drop).loss(h.reshape([-1, config.d]), wanted);
      }),
    runWithCache(tokens, { names, hooks = [], ...options }) {
      const cache = new Map<string, tf.Tensor>();
      const store: Hook[] = names.map((pattern) => [
        pattern,
        (value, at) => {
          if (!cache.has(at)) cache.set(at, tf.keep(value.clone()));
        },
      ]);
      return { logits: forward(tokens, { ...options, hooks: [...hooks, ...store] }), cache };
    },
    residualStream: (tokens, tap) => streamAt(tokens, tap, dropoutOf({})),
    unembed: (h, hooks = []) => unembedAt(h, listen(hooks), dropoutOf({})),
    tokenTensor: (tokens) => tokenTensor(tokens, config.V, NAME),
    dispose: () => {
      for (const variable of parameters.values()) variable.dispose();
    },
  };
}

/** What a sub-layer adds to the residual stream, before its dropout. */
type Apply = (u: tf.Tensor3D, tap: Tap, drop: Dropout) => tf.Tensor3D;

function subLayer(layer: SubLayer, parameters: ReadonlyMap<string, tf.Tensor>, j: number, rate: number): Apply {
  const prefix = `layers.${j}.layer`;
  if (layer.kind === 'ffn') {
    const w = weightsOf(parameters, prefix);
    return (u, tap, drop) => feedForward(u, w, tap, (x) => drop(x, rate, `ffn ${j}`));
  }
  const { block } = layer;
  const own = mixerTensors(layer).map(
    ([name]) => [name, parameters.get(`${prefix}.${suiteName(name)}`) as tf.Tensor] as const,
  );
  const w = weightsOf(new Map(own));
  return (u, tap) => architectureOf(block).forward(u, w, block, tap);
}

function checkTensors(config: LmSuiteConfig, tensors: ReadonlyMap<string, LmSuiteTensor>): void {
  const expected = lmSuiteTensors(config);
  for (const [name, shape] of expected) {
    const found = tensors.get(name);
    if (!found) throw new InputError(`The weights lack ${name}: they are not of this configuration.`);
    if (found.shape.join() !== shape.join())
      throw new InputError(
        `${name} has shape [${found.shape}] where this configuration has [${shape}]: config and weights differ.`,
      );
  }
  for (const name of tensors.keys())
    if (!expected.has(name)) throw new InputError(`The weights hold ${name}, which this configuration does not have.`);
}

const idsOf = (ids: tf.Tensor): Int32Array => ids.dataSync() as Int32Array;

/** Labels row by row. @throws InputError when they are not as many as the tokens, or one is outside the vocabulary */
function labelIds(labels: Tokens, V: number, count: number): Int32Array {
  const ids = Array.isArray(labels) ? Int32Array.from(labels.flat()) : idsOf(labels as tf.Tensor2D);
  if (ids.length !== count)
    throw new InputError(`There are ${ids.length} labels for ${count} tokens: give one for each, negative where none.`);
  const outside = ids.find((id) => id >= V);
  if (outside !== undefined)
    throw new InputError(`Label ${outside} is outside the vocabulary: labels go from 0 to ${V - 1}.`);
  return ids;
}
