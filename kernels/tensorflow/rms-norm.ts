import * as tf from '@tensorflow/tfjs';
import { type Attributes, type ComposedKernel, type Operands, presentGradients } from './kernel';
import { siluOf, siluSlope } from './silu';

/** u · r · weight with u = x · SiLU(gate) and r = (mean u² + ε)^−½. Floor: 8 bytes an element, 12 with a gate. */
export const rmsNorm: ComposedKernel = (operands, attributes) => {
  const { u, r, grouped } = parts(operands, attributes);
  return [u.mul(r).mul(grouped(operands.weight)).reshape(operands.x.shape)];
};

/** The gradients of `kernels/reference/rms-norm.ts`. Floor: 20 bytes of traffic an element, 32 with a gate. */
export const rmsNormGrad: ComposedKernel = (operands, attributes) => {
  const { x, weight, gate, dy } = operands;
  const { u, r, rows, grouped } = parts(operands, attributes);
  const dyRows = rows(dy);
  const normed = u.mul(r);
  const weighted = dyRows.mul(grouped(weight));
  const du = weighted.sub(normed.mul(normed.mul(weighted).mean(2, true))).mul(r);
  const gradients = {
    x: (gate ? du.mul(siluOf(rows(gate))) : du).reshape(x.shape),
    weight: dyRows.mul(normed).sum(0).reshape(weight.shape),
    gate:
      gate &&
      du
        .mul(rows(x))
        .mul(siluSlope(rows(gate)))
        .reshape(x.shape),
  };
  return presentGradients(operands, gradients, ['x', 'weight', 'gate']);
};

/** u and r over [rows, groups, width], and what brings other operands to that shape. */
function parts({ x, weight, gate }: Operands, { groups, epsilon }: Attributes) {
  const shape = [groups as number, weight.size / (groups as number)];
  const rows = (value: tf.Tensor) => value.reshape([x.size / weight.size, ...shape]);
  const grouped = (value: tf.Tensor) => value.reshape(shape);
  const u = gate ? rows(x).mul(siluOf(rows(gate))) : rows(x);
  const r = tf.rsqrt(
    u
      .square()
      .mean(2, true)
      .add(tf.scalar(epsilon as number)),
  );
  return { u, r, rows, grouped };
}
