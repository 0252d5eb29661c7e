import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import type { KernelInputs, Overrides } from '../override';
import { optionalFloats } from './operands';

/** Sizes of a mixer whose tokens are rows [z | x | B | C | dt] of `projected`; `numbers` as the C++ file takes them. */
function layoutOf({ inputs, attrs }: KernelInputs) {
  const [batch, L, W] = inputs.projected.shape;
  const [C, , K] = inputs.convWeight.shape;
  const [E] = inputs.norm.shape;
  const [H] = inputs.A_log.shape;
  const G = attrs.groups as number;
  const N = (C - E) / (2 * G);
  return { rows: batch * L, C, E, H, W, numbers: [batch, L, H, E / H, G, N, K, W, attrs.epsilon as number] };
}

/** dt + bias of every token, [rows,H], for the caller to recycle. */
function shiftedSteps(backend: NativeBackend, call: KernelInputs): Float32Array {
  const { rows, C, E, H, W } = layoutOf(call);
  const steps = backend.allocate(rows * H);
  kernels.copyStrided(backend.floats(call.inputs.projected), steps, E + C, 0, 2, rows, H, W, 1, H, 1);
  kernels.add(steps, backend.floats(call.inputs.dtBias), steps, 2, rows, H, H, 1, 0, 1);
  return steps;
}

/** A = −exp(A_log) [H], for the caller to recycle. */
function rates(backend: NativeBackend, { A_log }: KernelInputs['inputs']): Float32Array {
  const values = backend.allocate(A_log.shape[0]);
  kernels.exp(backend.floats(A_log), values);
  kernels.neg(values, values);
  return values;
}

/** The operands that forward and backward passes share, with A and Δ between them. */
function operands({ backend, inputs }: KernelInputs, A: Float32Array, delta: Float32Array) {
  const floats = (name: string) => optionalFloats(backend, inputs[name]);
  const convolution = [floats('convWeight'), floats('convBias')];
  return [backend.floats(inputs.projected), ...convolution, A, floats('D'), floats('norm'), delta];
}

/** The Mamba-2 mixer of `kernels/ops` between its projections; inputs were checked there. */
export const ssdMixer: Overrides = {
  SsdMixer(call) {
    const { backend, inputs } = call;
    const { rows, C, E, H, numbers } = layoutOf(call);
    const [batch, L] = inputs.projected.shape;
    const [mixed, delta] = [backend.allocate(rows * C), backend.allocate(rows * H)];
    const [scanned, y] = [backend.allocate(rows * E), backend.allocate(rows * E)];
    const steps = shiftedSteps(backend, call);
    kernels.softplus(steps, delta);
    const A = rates(backend, inputs);
    kernels.ssdMixer(...operands(call, A, delta), mixed, scanned, y, ...numbers);
    for (const buffer of [steps, A]) backend.recycle(buffer);
    return [
      backend.output([batch, L, E], y),
      backend.output([batch, L, C], mixed),
      backend.output([batch, L, H], delta),
      backend.output([batch, L, E], scanned),
    ];
  },

  SsdMixerGrad(call) {
    const { backend, inputs } = call;
    const { rows, C, E, H, W, numbers } = layoutOf(call);
    const gradients: [tf.TensorInfo, Float32Array][] = [];
    const gradientOf = (name: string): Float32Array | null => {
      const tensor = inputs[name];
      if (!tensor) return null;
      const values = backend.allocate(tensor.shape.reduce((size, n) => size * n, 1));
      gradients.push([tensor, values]);
      return values;
    };
    const into = gradientOf('projected') as Float32Array;
    const [dConvWeight, dDtBias] = [gradientOf('convWeight'), gradientOf('dtBias') as Float32Array];
    const [dALog, dD, dNorm] = [gradientOf('A_log') as Float32Array, gradientOf('D'), gradientOf('norm')];
    const dConvBias = gradientOf('convBias');
    const dDelta = backend.allocate(rows * H);
    const A = rates(backend, inputs);
    const kept = ['mixed', 'scanned', 'dy'].map((name) => backend.floats(inputs[name]));
    kernels.ssdMixerGrad(
      ...operands(call, A, backend.floats(inputs.delta)),
      ...kept,
      into,
      dConvWeight,
      dConvBias,
      dALog,
      dD,
      dNorm,
      dDelta,
      ...numbers,
    );
    // dA/dA_log = A.
    kernels.multiply(dALog, A, dALog, 1, H, 1, 1);

    const slopes = shiftedSteps(backend, call);
    kernels.sigmoid(slopes, slopes);
    kernels.multiply(dDelta, slopes, slopes, 1, rows * H, 1, 1);
    kernels.copyStrided(slopes, into, 0, E + C, 2, rows, H, H, 1, W, 1);
    kernels.sum(slopes, dDtBias, 1, rows, H);
    for (const buffer of [A, dDelta, slopes]) backend.recycle(buffer);
    return gradients.map(([{ shape }, buffer]) => backend.output(shape, buffer));
  },
};
