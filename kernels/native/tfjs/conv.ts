import { kernels } from '../addon';
import type { KernelInputs, Overrides } from '../override';
import { allocateLike, gradientOutputs, optionalFloats } from './operands';

/** [batch, L, E, K, silu, row] as the C++ convolutions take them. */
function sizes({ inputs: { x, weight }, attrs }: KernelInputs): number[] {
  return [...x.shape, weight.shape[2], attrs.silu ? 1 : 0, x.shape[2]];
}

/** The causal convolution of `kernels/ops`; inputs were checked there. */
export const conv: Overrides = {
  CausalConv1d: (call) => {
    const { backend, inputs } = call;
    const { x, weight, bias } = inputs;
    const [y] = allocateLike(backend, x);
    kernels.causalConv1d(backend.floats(x), backend.floats(weight), optionalFloats(backend, bias), y, ...sizes(call));
    return backend.output(x.shape, y);
  },

  CausalConv1dGrad: (call) => {
    const { backend, inputs } = call;
    const wanted = [inputs.x, inputs.weight, inputs.bias];
    const gradients = allocateLike(backend, ...wanted);
    kernels.causalConv1dGrad(
      ...wanted.map((tensor) => optionalFloats(backend, tensor)),
      backend.floats(inputs.dy),
      ...gradients,
      ...sizes(call),
    );
    return gradientOutputs(backend, wanted, gradients);
  },
};
