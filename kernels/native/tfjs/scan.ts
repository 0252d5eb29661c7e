import { kernels } from '../addon';
import type { KernelInputs, Overrides } from '../override';
import { allocateLike, gradientOutputs, optionalFloats } from './operands';

/** [batch, L, E, N, softplus] as the C++ selective scans take them. */
function sizes({ inputs: { x, A }, attrs }: KernelInputs): number[] {
  return [...x.shape, A.shape[1], attrs.softplus ? 1 : 0];
}

/** The selective scan of `kernels/ops`; inputs were checked there. */
export const selectiveScan: Overrides = {
  SelectiveScan: (call) => {
    const { backend, inputs } = call;
    const { x, delta, A, B, C, D, z } = inputs;
    const [y] = allocateLike(backend, x);
    kernels.selectiveScan(
      ...[x, delta, A, B, C].map((tensor) => backend.floats(tensor)),
      optionalFloats(backend, D),
      optionalFloats(backend, z),
      y,
      ...sizes(call),
    );
    return backend.output(x.shape, y);
  },

  SelectiveScanGrad: (call) => {
    const { backend, inputs } = call;
    const { x, delta, A, B, C, D, z, dy } = inputs;
    const wanted = [x, delta, A, B, C, D, z];
    const gradients = allocateLike(backend, ...wanted);
    kernels.selectiveScanGrad(
      ...wanted.map((tensor) => optionalFloats(backend, tensor)),
      backend.floats(dy),
      ...gradients,
      ...sizes(call),
    );
    return gradientOutputs(backend, wanted, gradients);
  },
};
