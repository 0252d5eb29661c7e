import * as tf from '@tensorflow/tfjs';
import { adamwStep, sumOfSquares } from '@/kernels/ops';

export interface AdamWOptions {
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Which parameters are decayed, by name. */
  readonly decays: (name: string) => boolean;
}

/** Moments of one parameter, in its own order of elements. */
export interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** All that AdamW remembers between steps. */
export interface AdamWState {
  readonly step: number;
  readonly moments: ReadonlyMap<string, Moments>;
}

/**
 * Decoupled weight decay with Adam (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it:
 *
 *     θ ← θ − η w θ;  m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²
 *     θ ← θ − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
 *
 * The update runs on the host, one pass over each parameter, and gives the same bits on every device.
 */
export class AdamW {
  private count = 0;
  private readonly moments = new Map<string, Moments>();

  constructor(
    private readonly parameters: ReadonlyMap<string, tf.Variable>,
    private readonly options: AdamWOptions,
  ) {
    for (const [name, { size }] of parameters)
      this.moments.set(name, { first: new Float32Array(size), second: new Float32Array(size) });
  }

  get state(): AdamWState {
    return { step: this.count, moments: this.moments };
  }

  /** Goes on from a stored state. @throws when a parameter's moments are missing or of another size. */
  restore({ step, moments }: AdamWState): void {
    for (const [name, { first, second }] of this.moments) {
      const stored = moments.get(name);
      if (stored?.first.length !== first.length || stored.second.length !== second.length)
        throw new Error(`The optimizer state has no moments of the right size for ${name}.`);
      first.set(stored.first);
      second.set(stored.second);
    }
    this.count = step;
  }

  /**
   * One step. A parameter without a gradient is left as it is.
   * @param gradients by parameter name; they stay the caller's
   * @param clip what every gradient is multiplied by first
   */
  step(gradients: ReadonlyMap<string, tf.Tensor>, learningRate: number, clip = 1): void {
    this.count += 1;
    for (const [name, variable] of this.parameters) {
      const gradient = gradients.get(name);
      if (gradient) this.update(name, variable, gradient, learningRate, clip);
    }
  }

  private update(name: string, variable: tf.Variable, gradient: tf.Tensor, learningRate: number, clip: number): void {
    const { betas, epsilon, weightDecay, decays } = this.options;
    const { first, second } = this.moments.get(name) as Moments;
    const rule = {
      clip,
      kept: 1 - learningRate * (decays(name) ? weightDecay : 0),
      step: learningRate / (1 - betas[0] ** this.count),
      scale: 1 / Math.sqrt(1 - betas[1] ** this.count),
      betas,
      epsilon,
    };
    tf.tidy(() => variable.assign(adamwStep(variable, gradient, first, second, rule)));
  }
}

/** One norm over all gradients, summed in float64. */
export const globalNorm = (gradients: ReadonlyMap<string, tf.Tensor>): number =>
  Math.sqrt(sumOfSquares([...gradients.values()]));

/** What gradients of this norm are multiplied by so that it is at most `limit`: min(1, limit / (norm + 1e-6)), as torch's clip_grad_norm_ does. */
export const clipFactor = (norm: number, limit: number): number => Math.min(1, limit / (norm + 1e-6));

/**
 * The language-model suite's rule (equations F): A_log, D, dt_bias, every bias and the block and final norms are left
 * alone; λ, sub-norms, gated norms, embeddings and projections decay.
 */
export function decaysInLanguageModels(name: string): boolean {
  if (/(^|\.)(A[12]?_log|D[12]?|dt[12]?_bias|bias)$/.test(name)) return false;
  return !/(^|\.)(layers\.\d+\.norm|norm_f)\.weight$/.test(name);
}
