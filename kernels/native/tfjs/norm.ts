import { kernels } from '../addon';
import { type KernelInputs, type Overrides, sizeOf } from '../override';
import { allocateLike, gradientOutputs, optionalFloats } from './operands';

/** [rows, E, groups, epsilon, gateRow, L] as the C++ norms take them. */
function sizes({ inputs: { x, weight }, attrs }: KernelInputs): number[] {
  const E = weight.shape[0];
  const L = x.shape.length > 1 ? x.shape[x.shape.length - 2] : 1;
  return [sizeOf(x.shape) / E, E, attrs.groups, attrs.epsilon, E, Math.max(1, L)];
}

/** RMS normalisation and SiLU of `kernels/ops`; inputs were checked there. */
export const norm: Overrides = {
  RmsNorm: (call) => {
    const { backend, inputs } = call;
    const { x, weight, gate } = inputs;
    const [y] = allocateLike(backend, x);
    kernels.rmsNorm(backend.floats(x), backend.floats(weight), optionalFloats(backend, gate), y, ...sizes(call));
    return backend.output(x.shape, y);
  },

  RmsNormGrad: (call) => {
    const { backend, inputs } = call;
    const wanted = [inputs.x, inputs.weight, inputs.gate];
    const gradients = allocateLike(backend, ...wanted);
    kernels.rmsNormGrad(
      ...wanted.map((tensor) => optionalFloats(backend, tensor)),
      backend.floats(inputs.dy),
      ...gradients,
      ...sizes(call),
    );
    return gradientOutputs(backend, wanted, gradients);
  },

  Silu: ({ backend, inputs: { x } }) => {
    const [y] = allocateLike(backend, x);
    kernels.silu(backend.floats(x), y);
    return backend.output(x.shape, y);
  },

  SiluGrad: ({ backend, inputs: { x, dy } }) => {
    const [dx] = allocateLike(backend, x);
    kernels.siluGrad(backend.floats(x), backend.floats(dy), dx);
    return backend.output(x.shape, dx);
  },
};
