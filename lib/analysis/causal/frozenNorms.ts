import * as tf from '@tensorflow/tfjs';
import { anatomyOf } from '@/lib/architectures';
import { scansAt } from '@/lib/architectures/places';
import { SUBLN_EPSILON } from '@/lib/architectures/types';
import { isDifferential, isHybrid, type ModelConfig } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { type Baseline, type Batch, STEP } from './continuation';

/** An RMS norm of a block: y = w ⊙ x / rms(x), group by group. */
interface Norm {
  /** Hook points of x and y. */
  readonly input: string;
  readonly output: string;
  readonly groups: number;
  readonly epsilon: number;
}

/**
 * Every norm on the way of the residual stream through block i: its own, the gated ones of SSD scans, that of a difference, that
 * before an MLP.
 * Those of FalconMamba's Δ, B and C are part of how the scan is computed, as Δ, B and C themselves are.
 */
function normsOf({ blocks, epsilon }: ModelConfig, i: number): Norm[] {
  const block = blocks[i];
  const at = (point: string) => `blocks.${i}.hook_${point}`;
  const gated = scansAt(i, block)
    .filter(({ points }) => points.includes('gated_norm') && block.mixer.variant?.norm !== 'none')
    .map((scan): Norm => {
      const { G, epsilon, variant } = block.mixer;
      const input = scan.at(variant?.norm === 'before_gate' ? 'ssm_output' : 'after_skip');
      return { input, output: scan.at('gated_norm'), groups: G, epsilon };
    });
  const own = { input: at('resid_pre'), output: at('normalized_input'), groups: 1, epsilon };
  if (isHybrid(block) && anatomyOf(block).mlp?.includes('mlp_input'))
    gated.push({ input: at('resid_mid'), output: at('mlp_input'), groups: 1, epsilon: block.epsilon });
  if (!isDifferential(block) || !block.subln) return [own, ...gated];
  // A difference that is repeated to the full width has the same RMS as one copy.
  return [own, ...gated, { input: at('diff'), output: at('subln'), groups: 1, epsilon: SUBLN_EPSILON }];
}

/** x [B,L,W] in its groups, [B,L,G,W/G]. */
const grouped = (x: tf.Tensor, groups: number): tf.Tensor4D => {
  const [B, L, W] = x.shape;
  return x.reshape([B, L, groups, W / groups]);
};

/** rms of each group, [B,L,G,1]. */
const rmsOf = (x: tf.Tensor, { groups, epsilon }: Pick<Norm, 'groups' | 'epsilon'>): tf.Tensor =>
  tf.tidy(() => grouped(x, groups).square().mean(3, true).add(epsilon).sqrt());

/**
 * What every RMS norm of the untouched pass divides by. A removal before a norm leaves the norm to blow what remains up to
 * full size; with these held, it is taken away and nothing else is rescaled.
 *
 * Memory: one number a token, norm and group. Cost: the blocks from `first` on, once.
 */
export class FrozenNorms {
  private constructor(
    private readonly model: Model,
    private readonly norms: readonly Norm[],
    /** By the input of a norm, [L,G]. */
    private readonly divisors: ReadonlyMap<string, Float32Array>,
    private readonly last: Float32Array,
  ) {}

  /** Yields after every block. */
  static *of(
    model: Model,
    { streams, L }: Pick<Baseline, 'streams' | 'L'>,
    first: number,
  ): Generator<typeof STEP, FrozenNorms, void> {
    const { blocks, d } = model.config;
    const norms = blocks.slice(first).flatMap((_, k) => normsOf(model.config, first + k));
    const divisors = new Map<string, Float32Array>();
    const hooks = norms.map(
      (norm): Hook => [
        norm.input,
        (x, name) =>
          void divisors.set(
            name,
            tf.tidy(() => (rmsOf(x, norm).dataSync() as Float32Array).slice()),
          ),
      ],
    );
    const start = tf.tensor3d(streams[first], [1, L, d]);
    const run = model.blocksFrom(start, first, hooks);
    try {
      let step = run.next();
      for (; !step.done; step = run.next()) yield STEP;
      step.value.dispose();
    } finally {
      run.return(undefined as never);
      start.dispose();
    }
    return new FrozenNorms(model, norms, divisors, streams[blocks.length].subarray((L - 1) * d, L * d));
  }

  /** Hooks of a removal, with every norm after it dividing by what it did before. */
  around(hooks: readonly Hook[]): Hook[] {
    const inputs = new Map<string, tf.Tensor>();
    const see = this.norms.map(({ input }): Hook => [input, (x) => void inputs.set(input, x)]);
    const rescale = this.norms.map(
      (norm): Hook => [
        norm.output,
        (y) => {
          const before = this.divisors.get(norm.input) as Float32Array;
          return tf.tidy(() => {
            const held = tf.tensor4d(before, [1, y.shape[1] as number, norm.groups, 1]);
            const now = rmsOf(inputs.get(norm.input) as tf.Tensor, norm);
            return grouped(y, norm.groups).mul(now.div(held)).reshape(y.shape);
          });
        },
      ],
    );
    // What is removed at a norm's output is not rescaled; what is removed at its input is seen by it.
    return [...rescale, ...hooks, ...see];
  }

  /** Logits [B,1,V] of the last residual stream [B,1,d], the final norm dividing as it did for `before` [d]. */
  unembed(h: tf.Tensor3D, before: Float32Array = this.last): tf.Tensor3D {
    const norm = { groups: 1, epsilon: this.model.config.epsilon };
    return tf.tidy(() => {
      const held = rmsOf(tf.tensor3d(before, [1, 1, before.length]), norm);
      const scale = rmsOf(h, norm).div(held).reshape([h.shape[0], 1, 1]);
      return this.model.unembed(h).mul(scale) as tf.Tensor3D;
    });
  }
}

/** Blocks that {@link FrozenNorms} runs once more. */
export const frozenBlocks = ({ blocks }: ModelConfig, first: number): number => blocks.length - first;

/** Values of {@link FrozenNorms}, counted generously. */
export const frozenSize = ({ blocks }: ModelConfig, L: number): number =>
  blocks.reduce((sum, { mixer: { G } }) => sum + L * (2 + 2 * Math.max(1, G)), 0);

/** A batch as the model is, and once more with frozen norms. @param receive logits [rows,V] of both */
export function* bothWays(
  batch: Omit<Batch, 'receive' | 'unembed'>,
  frozen: FrozenNorms,
  receive: (plain: Float32Array, frozen: Float32Array) => void,
): Generator<Batch, void, void> {
  let plain: Float32Array | undefined;
  yield {
    ...batch,
    receive: (logits) => {
      plain = logits;
    },
  };
  yield {
    ...batch,
    hooks: frozen.around(batch.hooks),
    unembed: (h) => frozen.unembed(h),
    receive: (logits) => receive(plain as Float32Array, logits),
  };
}
