import * as tf from '@tensorflow/tfjs';

/** Names under which a device may register kernels that read everything once. */
const [SUM, STEP] = ['SumOfSquares', 'AdamW'];

const has = (kernel: string) => tf.getKernel(kernel, tf.getBackend()) !== undefined;

/** Σ x² of all values of float32 tensors, summed in float64. */
export function sumOfSquares(tensors: readonly tf.Tensor[]): number {
  if (has(SUM))
    return tf.tidy(() => {
      const parts = tf.engine().runKernel(SUM, tensors as unknown as tf.NamedTensorMap) as tf.Tensor;
      return parts.dataSync<'float32'>().reduce((sum, part) => sum + part, 0);
    });
  let sum = 0;
  for (const tensor of tensors) {
    const x = tensor.dataSync();
    for (let i = 0; i < x.length; i++) sum += x[i] * x[i];
  }
  return sum;
}

/** What a step of AdamW does to each element of a parameter θ with gradient g and moments m and v. */
export interface AdamWRule {
  /** Factor of g. */
  readonly clip: number;
  /** Factor of θ: 1 − η · weight decay. */
  readonly kept: number;
  /** η / (1 − β₁ᵗ) */
  readonly step: number;
  /** 1 / √(1 − β₂ᵗ) */
  readonly scale: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
}

/**
 * One step on a parameter: m ← β₁ m + (1 − β₁) clip g and v ← β₂ v + (1 − β₂) (clip g)² in place, and
 *
 *     kept θ − step · m / (√v · scale + ε)
 *
 * as a new tensor. Computed on the host in float64 and rounded when stored, to the same bits on every device (but that moments below
 * 2⁻¹²⁶ are 0 on `native`). Costs one pass, 24 bytes an element.
 *
 * @param g of the size of θ, as m and v
 */
export function adamwStep(
  theta: tf.Tensor,
  g: tf.Tensor,
  m: Float32Array,
  v: Float32Array,
  { clip, kept, step, scale, betas: [beta1, beta2], epsilon }: AdamWRule,
): tf.Tensor {
  if (has(STEP)) {
    const attributes = { m, v, numbers: [clip, kept, step, scale, beta1, beta2, epsilon] };
    return tf.engine().runKernel(STEP, { theta, g }, attributes as unknown as tf.NamedAttrMap) as tf.Tensor;
  }
  const values = theta.dataSync().slice();
  const gradients = g.dataSync();
  for (let i = 0; i < values.length; i++) {
    const gradient = Math.fround(clip * gradients[i]);
    m[i] = beta1 * m[i] + (1 - beta1) * gradient;
    v[i] = beta2 * v[i] + (1 - beta2) * gradient * gradient;
    values[i] = kept * values[i] - (step * m[i]) / (Math.sqrt(v[i]) * scale + epsilon);
  }
  return tf.tensor(values, theta.shape);
}
