import { kernels } from '../addon';
import type { KernelInputs, Overrides } from '../override';
import { allocateLike, allocateShapes, gradientOutputs, optionalFloats, scanShapes } from './operands';

/** [batch, L, E, N, softplus] as the C++ selective scans take them. */
function sizes({ inputs: { x, A }, attrs }: KernelInputs): number[] {
  return [...x.shape, A.shape[1], attrs.softplus ? 1 : 0];
}

/** The selective scan of `kernels/ops`; inputs were checked there. */
export const selectiveScan: Overrides = {
  SelectiveScan: (call) => {
    const { backend, inputs, attrs } = call;
    const { x, delta, A, B, C, D, z, state } = inputs;
    const shapes = scanShapes(x.shape, [x.shape[0], ...A.shape], attrs);
    const outputs = allocateShapes(backend, shapes);
    kernels.selectiveScan(
      ...[x, delta, A, B, C, D, z, state].map((tensor) => optionalFloats(backend, tensor)),
      outputs[0],
      outputs[1] ?? null,
      ...sizes(call),
    );
    return outputs.map((values, i) => backend.output(shapes[i], values));
  },

  SelectiveScanGrad: (call) => {
    const { backend, inputs } = call;
    const { x, delta, A, B, C, D, z, state, dy, dState } = inputs;
    const wanted = [x, delta, A, B, C, D, z, state];
    const gradients = allocateLike(backend, ...wanted);
    kernels.selectiveScanGrad(
      ...wanted.map((tensor) => optionalFloats(backend, tensor)),
      backend.floats(dy),
      optionalFloats(backend, dState),
      ...gradients,
      ...sizes(call),
    );
    return gradientOutputs(backend, wanted, gradients);
  },
};
