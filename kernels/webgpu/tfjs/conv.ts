import { discard } from '../program';
import { type Convolution, causalConv1d } from '../programs/causal-conv1d';
import { causalConv1dGrad } from '../programs/causal-conv1d-grad';
import { causalConv1dWeightGrad } from '../programs/causal-conv1d-weight-grad';
import { sumParts } from '../programs/sum-parts';
import { sizeOf } from '../shapes';
import type { Call, Kernel } from './kernel';

const convolutionOf = ({ inputs: { x, weight, bias }, attrs }: Call): Convolution => ({
  x,
  weight,
  bias,
  silu: attrs.silu as boolean,
});

export const conv = {
  CausalConv1d: (call) => [causalConv1d(call.backend, convolutionOf(call))],

  CausalConv1dGrad: (call) => {
    const { backend, inputs } = call;
    const convolution = convolutionOf(call);
    const { weight, bias } = convolution;
    const dx = causalConv1dGrad(backend, convolution, inputs.dy);
    const { partial, pieces } = causalConv1dWeightGrad(backend, convolution, inputs.dy);
    const gradients = [dx, sumParts(backend, partial, { parts: pieces, shape: weight.shape })];
    const offset = pieces * sizeOf(weight.shape);
    if (bias) gradients.push(sumParts(backend, partial, { offset, parts: pieces, shape: bias.shape }));
    discard(backend, partial);
    return gradients;
  },
} satisfies Record<string, Kernel>;
