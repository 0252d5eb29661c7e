import * as tf from '@tensorflow/tfjs';
import { fromHalves, type HalfFormat, keepsHalves, rmsNorm, roundToBfloat16 } from '@/kernels/ops';
import { architectureOf } from '@/lib/architectures';
import { times } from '@/lib/architectures/equations/nn';
import { type Weights, weightsOf } from '@/lib/architectures/weights';
import {
  type BlockConfig,
  type Checkpoint,
  type CheckpointTensor,
  InputError,
  type ModelConfig,
} from '@/lib/checkpoint/types';
import type { WeightChoice, WeightFormat } from '@/lib/vocabulary';
import { type Hook, joining, listen, silent, type Tap } from './hooks';
import { PIECE, readPositions } from './pieces';
import { type LogitPositions, positionsIn, rowsAt, type Tokens } from './positions';
import { isMatrix } from './weight-format';

export interface ForwardOptions {
  readonly hooks?: readonly Hook[];
  /** Which positions to unembed, in which order: the head costs as much as several blocks. Default all. */
  readonly logits?: LogitPositions;
  /**
   * Without hooks, the two Mamba-2 mixers of a differential block run as one of twice the width: the same values but for
   * rounding, faster. For training; analyses keep one order of sums, so that a hook that replaces nothing changes nothing.
   */
  readonly joined?: boolean;
}

export interface BlockOutput {
  readonly index: number;
  /** Residual stream leaving the block, [B,L,d]; valid until the generator is resumed. */
  readonly residual: tf.Tensor3D;
}

/**
 * A model with hooks. Shapes: B batch, L length, d width, V vocabulary rows. All tensors are float32 on the
 * current device; whoever receives a tensor disposes of it.
 */
export interface Model {
  readonly name: string;
  readonly config: ModelConfig;
  /** By canonical (Hugging Face) name; a tied head has no entry of its own. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  /**
   * Logits [B,L,V], [B,1,V] with `logits: 'last'`, or [B,count,V] of a list of positions; what `hook_norm` and
   * `hook_logits` see is these positions too.
   *
   * @throws InputError for tokens or positions that there are not
   */
  forward(tokens: Tokens, options?: ForwardOptions): tf.Tensor3D;
  /** The forward pass one block at a time; returns the last residual stream [B,L,d]. Stop early with `return()`. */
  blocksOf(tokens: Tokens, hooks?: readonly Hook[]): Generator<BlockOutput, tf.Tensor3D, void>;
  /** The same from the residual stream h [B,L,d] that enters block `first`; h stays the caller's. */
  blocksFrom(
    h: tf.Tensor3D,
    first: number,
    hooks?: readonly Hook[],
    joined?: boolean,
  ): Generator<BlockOutput, tf.Tensor3D, void>;
  /** W_U RMS(h; norm_f): residual stream [B,L,d] → logits [B,L,V], with `hook_norm` and `hook_logits`. */
  unembed(h: tf.Tensor3D, hooks?: readonly Hook[]): tf.Tensor3D;
  /** What W_U times it makes logits: RMS(h; norm_f) of [..., d], times the model's own scale of logits where it has one. */
  readout<T extends tf.Tensor>(h: T): T;
  /** The residual stream that enters block 0 [B,L,d]. */
  embed(tokens: Tokens): tf.Tensor3D;
  /** W_U [V,d], tied or not; it belongs to the model. */
  readonly head: tf.Tensor2D;
  /** Keeps the tensors whose names match; memory is what was asked for. */
  runWithCache(
    tokens: Tokens,
    options: ForwardOptions & { readonly names: readonly string[] },
  ): { logits: tf.Tensor3D; cache: Map<string, tf.Tensor> };
  runWithHooks(tokens: Tokens, hooks: readonly Hook[]): tf.Tensor3D;
  /** The residual stream after the last block [B,L,d], observed by a tap; what decoding is built on. */
  residualStream(tokens: Tokens, tap: Tap): tf.Tensor3D;
  /** Checked token ids as an int32 tensor [B,L]. */
  tokenTensor(tokens: Tokens): tf.Tensor2D;
  dispose(): void;
}

const EMBEDDINGS = 'backbone.embeddings.weight';

export interface ModelSettings {
  /**
   * `bf16` rounds the projections and embeddings to bfloat16 (relative error 2⁻⁸ a weight) for reading only: half the
   * memory and half the time of a decoding step on the native device. Everything else stays float32. `file` keeps those that
   * the checkpoint holds in 16 bits where the device computes from that; nothing is rounded.
   */
  readonly weights?: WeightChoice;
}

const KEPT_FORMATS: Readonly<Record<HalfFormat, WeightFormat>> = { bfloat16: 'bf16', float16: 'fp16' };

/** What the matrices of a checkpoint are in on the current device, where one is asked for or the file's. */
export function keptFormat({ tensors }: Checkpoint, choice: WeightChoice): WeightFormat {
  if (choice !== 'file') return choice;
  const kept = keepsHalves() && [...tensors].find(([name, { bits }]) => bits && isMatrix(name));
  return kept ? KEPT_FORMATS[kept[1].dtype as HalfFormat] : 'float32';
}

/** A parameter on the device. */
function parameterOf(name: string, tensor: CheckpointTensor, choice: WeightChoice): tf.Tensor {
  const { bits, dtype, shape } = tensor;
  const isKept = choice === 'file' || (choice === 'bf16' && dtype === 'bfloat16');
  if (bits && isKept && isMatrix(name) && keepsHalves()) return fromHalves(bits, shape, dtype as HalfFormat);
  const values = tf.tensor(tensor.data, [...shape], 'float32');
  return choice === 'bf16' && isMatrix(name) ? roundToBfloat16(values) : values;
}

/** Puts a checkpoint's weights on the device. Cost: one copy of the weights; none of those that are kept in 16 bits. */
export function createModel(checkpoint: Checkpoint, { weights: format = 'float32' }: ModelSettings = {}): Model {
  const { config, name } = checkpoint;
  const parameters = new Map<string, tf.Variable>();
  for (const [key, tensor] of checkpoint.tensors)
    parameters.set(
      key,
      tf.tidy(() => tf.variable(parameterOf(key, tensor, format), true)),
    );
  const weights = weightsOf(parameters);

  const head = () => parameters.get(config.tied ? EMBEDDINGS : 'lm_head.weight') as unknown as tf.Tensor2D;

  const { embedding: embeddingScale = 1, logits: logitScale = 1 } = config.scales ?? {};

  const normed = <T extends tf.Tensor>(h: T): T =>
    rmsNorm(h, weights('backbone.norm_f.weight') as tf.Tensor1D, { epsilon: config.epsilon });

  function unembedAt(h: tf.Tensor3D, tap: Tap): tf.Tensor3D {
    return tf.tidy(() => {
      const [B, L] = h.shape;
      const read = tap.at('hook_norm', normed(h));
      const flat = tf.matMul(read.reshape([B * L, config.d]), head(), false, true);
      return tap.at('hook_logits', times(flat, logitScale).reshape([B, L, config.V]) as tf.Tensor3D);
    });
  }

  function blockAt(i: number, h: tf.Tensor3D, tap: Tap): tf.Tensor3D {
    const at = tap.scope(`blocks.${i}`);
    const w = weights.under(`backbone.layers.${i}`);
    const block = config.blocks[i];
    const { step, trained } = architectureOf(block);
    const { epsilon } = config;
    return step?.(h, w, block, at, epsilon) ?? trained?.(h, w, block, at, epsilon) ?? blockInFull(h, w, block, at);
  }

  function blockInFull(h: tf.Tensor3D, w: Weights, block: BlockConfig, at: Tap): tf.Tensor3D {
    return tf.tidy(() => {
      const resid = at.at('hook_resid_pre', h);
      const scale = w('norm.weight') as tf.Tensor1D;
      const u = at.at('hook_normalized_input', rmsNorm(resid, scale, { epsilon: config.epsilon }));
      // A clone, because a hook may return a tensor of its own, which the next block must not dispose of.
      const { forward, feedForward } = architectureOf(block);
      const mixed = resid.add(forward(u, w, block, at)) as tf.Tensor3D;
      const mid = feedForward ? at.at('hook_resid_mid', mixed) : mixed;
      const left = feedForward ? (mid.add(feedForward(mid, w, block, at)) as tf.Tensor3D) : mid;
      return at.at('hook_resid_post', left).clone();
    });
  }

  function* blocksAt(start: tf.Tensor3D, first: number, tap: Tap): Generator<BlockOutput, tf.Tensor3D, void> {
    let h = start;
    let finished = false;
    try {
      for (let index = first; index < config.blocks.length; index++) {
        const residual = blockAt(index, h, tap);
        h.dispose();
        h = residual;
        yield { index, residual };
      }
      finished = true;
      return h;
    } finally {
      if (!finished) h.dispose();
    }
  }

  function* blocksAfterEmbedding(tokens: Tokens, tap: Tap): Generator<BlockOutput, tf.Tensor3D, void> {
    return yield* blocksAt(embed(tokens, tap), 0, tap);
  }

  function* blocksFrom(h: tf.Tensor3D, first: number, tap: Tap): Generator<BlockOutput, tf.Tensor3D, void> {
    return yield* blocksAt(h.clone(), first, tap);
  }

  function embed(tokens: Tokens, tap: Tap): tf.Tensor3D {
    return tf.tidy(() => {
      const ids = tokenTensor(tokens, config.V, name);
      return tap.at('hook_embed', times(tf.gather(weights(EMBEDDINGS), ids) as tf.Tensor3D, embeddingScale)).clone();
    });
  }

  function residualStream(tokens: Tokens, tap: Tap): tf.Tensor3D {
    const run = blocksAfterEmbedding(tokens, tap);
    let step = run.next();
    while (!step.done) step = run.next();
    return step.value;
  }

  /** A long text that nobody observes is read in pieces: the same values in memory that does not grow with it. */
  function wholeStream(tokens: Tokens, tap: Tap, logits: LogitPositions): tf.Tensor3D {
    const ids = tokenTensor(tokens, config.V, name);
    const L = ids.shape[1];
    const positions = logits === 'all' ? null : positionsIn(logits, L);
    if (L > PIECE && tap === silent && !tf.engine().isTapeOn())
      return readPositions(residualStream, ids, tap, positions);
    const h = residualStream(ids, tap);
    return positions ? rowsAt(h, positions) : h;
  }

  const forwardAt = (tokens: Tokens, tap: Tap, logits: LogitPositions): tf.Tensor3D =>
    tf.tidy(() => unembedAt(wholeStream(tokens, tap, logits), tap));

  const tapOf = (hooks: readonly Hook[] = [], joined = false): Tap =>
    joined && hooks.length === 0 ? joining : listen(hooks);

  return {
    name,
    config,
    parameters,
    forward: (tokens, { hooks, logits = 'all', joined } = {}) => forwardAt(tokens, tapOf(hooks, joined), logits),
    blocksOf: (tokens, hooks = []) => blocksAfterEmbedding(tokens, listen(hooks)),
    blocksFrom: (h, first, hooks, joined) => blocksFrom(h, first, tapOf(hooks, joined)),
    unembed: (h, hooks = []) => unembedAt(h, listen(hooks)),
    readout: (h) => times(normed(h), logitScale),
    embed: (tokens) => embed(tokens, silent),
    get head() {
      return head();
    },
    runWithCache(tokens, { names, hooks = [], logits = 'all' }) {
      const cache = new Map<string, tf.Tensor>();
      const store: Hook[] = names.map((pattern) => [
        pattern,
        (value, at) => {
          if (!cache.has(at)) cache.set(at, tf.keep(value.clone()));
        },
      ]);
      return { logits: forwardAt(tokens, listen([...hooks, ...store]), logits), cache };
    },
    runWithHooks: (tokens, hooks) => forwardAt(tokens, listen(hooks), 'all'),
    residualStream,
    tokenTensor: (tokens) => tokenTensor(tokens, config.V, name),
    dispose: () => {
      for (const variable of parameters.values()) variable.dispose();
    },
  };
}

/** @throws InputError when a row is empty, rows differ in length, or an id is outside the vocabulary. */
export function tokenTensor(tokens: Tokens, V: number, name: string): tf.Tensor2D {
  if (!isRows(tokens)) return tokens;
  const L = tokens[0]?.length ?? 0;
  if (L === 0) throw new InputError('The input has no tokens: give at least one.');
  if (tokens.some((row) => row.length !== L))
    throw new InputError('The rows of the input have different lengths: make them equal, or run them one by one.');
  for (const row of tokens)
    for (const id of row)
      if (!Number.isInteger(id) || id < 0 || id >= V)
        throw new InputError(`Token id ${id} is outside the vocabulary of ${name}: ids go from 0 to ${V - 1}.`);
  return tf.tensor2d(Int32Array.from(tokens.flat()), [tokens.length, L], 'int32');
}

const isRows = (tokens: Tokens): tokens is readonly (readonly number[])[] => Array.isArray(tokens);
