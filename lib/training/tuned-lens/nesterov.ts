/** Settings of the optimiser; the defaults are those of the paper's tuned lenses (equations D). */
export interface NesterovOptions {
  readonly steps: number;
  /** At the first step; falls linearly to 0 after the last. */
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
  /** Largest norm of all gradients together. */
  readonly clip: number;
}

export const NESTEROV_DEFAULTS: NesterovOptions = {
  steps: 250,
  learningRate: 0.1,
  momentum: 0.9,
  weightDecay: 1e-3,
  clip: 1,
};

/** A parameter with its gradient, to be overwritten by a step, and its momentum buffer. */
export interface Trained {
  readonly value: Float32Array;
  readonly gradient: Float32Array;
  readonly velocity: Float32Array;
}

/**
 * One step of torch's SGD with Nesterov momentum on all parameters, in place; s counts from 0:
 *
 *     g ← g · min(1, clip/(‖g‖ + 1e-6)) + wd·θ,   v ← μ v + g,   θ ← θ − lr_s (g + μ v),   lr_s = lr · (steps − s)/steps
 *
 * where ‖g‖ is over all parameters. Gradients are zero afterwards.
 * @returns the norm before clipping
 */
export function nesterovStep(parameters: readonly Trained[], s: number, options: NesterovOptions): number {
  const { steps, learningRate, momentum, weightDecay, clip } = options;
  const norm = Math.sqrt(parameters.reduce((sum, { gradient }) => sum + squared(gradient), 0));
  const scale = Math.min(1, clip / (norm + 1e-6));
  const rate = (learningRate * (steps - s)) / steps;
  for (const { value, gradient, velocity } of parameters) {
    for (let i = 0; i < value.length; i++) {
      const g = scale * gradient[i] + weightDecay * value[i];
      const v = momentum * velocity[i] + g;
      velocity[i] = v;
      value[i] -= rate * (g + momentum * v);
    }
    gradient.fill(0);
  }
  return norm;
}

function squared(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return sum;
}
