import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { KernelInputs, Override, Overrides } from '../override';
import { optionalFloats } from './operands';

/** What the kernels of `sourceRow` of `kernels/ops` call; inputs were checked there. */
function rowBy(kernel: 's6Row' | 'ssdRow', numbers: (call: KernelInputs) => number[]): Override {
  return (call) => {
    const { backend, inputs } = call;
    const { x, weight, bias, scale, delta, A, B, C, D } = inputs;
    const [L, E] = x.shape;
    const [sources, free] = [backend.allocate(L * E), bias ? backend.allocate(E) : null];
    const floats = (tensor: tf.TensorInfo) => backend.floats(tensor);
    kernels[kernel](
      ...[floats(x), floats(weight), optionalFloats(backend, bias), floats(scale), sources, free],
      ...[delta, A, B, C, D].map(floats),
      ...[L, E, weight.shape[2], ...numbers(call)],
    );
    const rows = backend.output([L, E], sources);
    return free ? [rows, backend.output([1, E], free)] : [rows];
  };
}

export const sourceRow: Overrides = {
  S6Row: rowBy('s6Row', ({ inputs: { A }, attrs }) => [A.shape[1], attrs.softplus ? 1 : 0]),
  SsdRow: rowBy('ssdRow', ({ inputs: { A, B } }) => [A.shape[0], B.shape[1], B.shape[2]]),
};
