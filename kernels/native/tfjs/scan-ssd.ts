import { kernels } from '../addon';
import type { KernelInputs, Overrides } from '../override';
import { allocateLike, allocateShapes, gradientOutputs, optionalFloats, scanShapes } from './operands';

/** [batch, L, H, P, G, N] as the C++ SSD scans take them. */
function sizes({ inputs: { x, B } }: KernelInputs): number[] {
  return [...x.shape, B.shape[2], B.shape[3]];
}

/** The SSD scan of `kernels/ops`; inputs were checked there. */
export const ssdScan: Overrides = {
  SsdScan: (call) => {
    const { backend, inputs, attrs } = call;
    const { x, delta, A, B, C, D, state } = inputs;
    const [batch, , H, P] = x.shape;
    const shapes = scanShapes(x.shape, [batch, H, P, B.shape[3]], attrs);
    const outputs = allocateShapes(backend, shapes);
    kernels.ssdScan(
      ...[x, delta, A, B, C, D, state].map((tensor) => optionalFloats(backend, tensor)),
      outputs[0],
      outputs[1] ?? null,
      ...sizes(call),
    );
    return outputs.map((values, i) => backend.output(shapes[i], values));
  },

  SsdScanGrad: (call) => {
    const { backend, inputs } = call;
    const { x, delta, A, B, C, D, state, dy, dState } = inputs;
    const wanted = [x, delta, A, B, C, D, state];
    const gradients = allocateLike(backend, ...wanted);
    kernels.ssdScanGrad(
      ...wanted.map((tensor) => optionalFloats(backend, tensor)),
      backend.floats(dy),
      optionalFloats(backend, dState),
      ...gradients,
      ...sizes(call),
    );
    return gradientOutputs(backend, wanted, gradients);
  },
};
