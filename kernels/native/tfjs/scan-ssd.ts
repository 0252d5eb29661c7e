import { kernels } from '../addon';
import type { KernelInputs, Overrides } from '../override';
import { allocateLike, gradientOutputs, optionalFloats } from './operands';

/** [batch, L, H, P, G, N] as the C++ SSD scans take them. */
function sizes({ inputs: { x, B } }: KernelInputs): number[] {
  return [...x.shape, B.shape[2], B.shape[3]];
}

/** The SSD scan of `kernels/ops`; inputs were checked there. */
export const ssdScan: Overrides = {
  SsdScan: (call) => {
    const { backend, inputs } = call;
    const { x, delta, A, B, C, D } = inputs;
    const [y] = allocateLike(backend, x);
    kernels.ssdScan(...[x, delta, A, B, C, D].map((tensor) => optionalFloats(backend, tensor)), y, ...sizes(call));
    return backend.output(x.shape, y);
  },

  SsdScanGrad: (call) => {
    const { backend, inputs } = call;
    const { x, delta, A, B, C, D, dy } = inputs;
    const wanted = [x, delta, A, B, C, D];
    const gradients = allocateLike(backend, ...wanted);
    kernels.ssdScanGrad(
      ...wanted.map((tensor) => optionalFloats(backend, tensor)),
      backend.floats(dy),
      ...gradients,
      ...sizes(call),
    );
    return gradientOutputs(backend, wanted, gradients);
  },
};
