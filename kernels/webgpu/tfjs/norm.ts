import { discard } from '../program';
import { type Norm, rmsNorm } from '../programs/rms-norm';
import { rmsNormGrad } from '../programs/rms-norm-grad';
import { rmsNormWeightGrad } from '../programs/rms-norm-weight-grad';
import { silu } from '../programs/silu';
import { siluGrad } from '../programs/silu-grad';
import { sumParts } from '../programs/sum-parts';
import { sizeOf } from '../shapes';
import type { Call, Kernel } from './kernel';

const normOf = ({ inputs: { x, weight, gate }, attrs }: Call): Norm => ({
  x,
  weight,
  gate,
  groups: attrs.groups as number,
  epsilon: attrs.epsilon as number,
});

export const norm = {
  RmsNorm: (call) => [rmsNorm(call.backend, normOf(call))],

  RmsNormGrad: (call) => {
    const { backend, inputs } = call;
    const of = normOf(call);
    const { shape } = of.x;
    const packed = rmsNormGrad(backend, of, inputs.dy);
    const count = sizeOf(shape);
    const roots = count * (of.gate ? 2 : 1);
    const { partial, pieces } = rmsNormWeightGrad(backend, of, inputs.dy, packed, roots);
    const gradients = [
      sumParts(backend, packed, { shape }),
      sumParts(backend, partial, { parts: pieces, shape: of.weight.shape }),
    ];
    if (of.gate) gradients.push(sumParts(backend, packed, { offset: count, shape }));
    discard(backend, packed, partial);
    return gradients;
  },

  Silu: ({ backend, inputs: { x } }) => [silu(backend, x)],
  SiluGrad: ({ backend, inputs: { x, dy } }) => [siluGrad(backend, x, dy)],
} satisfies Record<string, Kernel>;
