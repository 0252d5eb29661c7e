import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import type { KernelInputs, Overrides } from '../override';
import { optionalFloats } from './operands';

/** Sizes of a mixer, and where its parts lie in a row of `projected` [z | x | B | C | dt] and of `mixed` [x | B | C]. */
function layoutOf({ inputs, attrs }: KernelInputs) {
  const [batch, L, W] = inputs.projected.shape;
  const [C, , K] = inputs.convWeight.shape;
  const [E] = inputs.norm.shape;
  const [H] = inputs.A_log.shape;
  const G = attrs.groups as number;
  const N = (C - E) / (2 * G);
  return {
    rows: batch * L,
    C,
    E,
    H,
    W,
    /** Numbers as the C++ files of the three operations take them. */
    conv: [batch, L, C, K, 1, W],
    scan: [batch, L, H, E / H, G, N, C, C],
    norm: [batch * L, E, G, attrs.epsilon as number, W],
    /** Columns of x, B and C. */
    parts: (mixed: Float32Array) => [mixed, mixed.subarray(E), mixed.subarray(E + G * N)] as const,
  };
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

/** The Mamba-2 mixer of `kernels/ops` between its projections; inputs were checked there. */
export const ssdMixer: Overrides = {
  SsdMixer(call) {
    const { backend, inputs } = call;
    const { rows, C, E, H, parts, ...sizes } = layoutOf(call);
    const [batch, L] = inputs.projected.shape;
    const floats = (name: string) => optionalFloats(backend, inputs[name]);
    const projected = backend.floats(inputs.projected);
    const [mixed, delta] = [backend.allocate(rows * C), backend.allocate(rows * H)];
    const [scanned, y] = [backend.allocate(rows * E), backend.allocate(rows * E)];
    kernels.causalConv1d(projected.subarray(E), floats('convWeight'), floats('convBias'), mixed, ...sizes.conv);
    const steps = shiftedSteps(backend, call);
    kernels.softplus(steps, delta);
    backend.recycle(steps);
    const [x, B, readers] = parts(mixed);
    const A = rates(backend, inputs);
    kernels.ssdScan(x, delta, A, B, readers, floats('D'), null, scanned, null, ...sizes.scan);
    backend.recycle(A);
    kernels.rmsNorm(scanned, floats('norm'), projected, y, ...sizes.norm);
    return [
      backend.output([batch, L, E], y),
      backend.output([batch, L, C], mixed),
      backend.output([batch, L, H], delta),
      backend.output([batch, L, E], scanned),
    ];
  },

  SsdMixerGrad(call) {
    const { backend, inputs } = call;
    const { rows, C, E, H, W, parts, ...sizes } = layoutOf(call);
    const floats = (name: string) => optionalFloats(backend, inputs[name]);
    const gradients: [tf.TensorInfo, Float32Array][] = [];
    const gradientOf = (name: string): Float32Array | null => {
      const tensor = inputs[name];
      if (!tensor) return null;
      const values = backend.allocate(tensor.shape.reduce((size, n) => size * n, 1));
      gradients.push([tensor, values]);
      return values;
    };
    const into = gradientOf('projected') as Float32Array;
    const [dConvWeight, dDtBias] = [gradientOf('convWeight'), gradientOf('dtBias')];
    const [dALog, dD, dNorm] = [gradientOf('A_log'), gradientOf('D'), gradientOf('norm')];
    const dConvBias = gradientOf('convBias');
    const projected = backend.floats(inputs.projected);
    const [dScanned, dMixed, dDelta] = [E, C, H].map((columns) => backend.allocate(rows * columns));

    kernels.rmsNormGrad(
      floats('scanned'),
      floats('norm'),
      projected,
      floats('dy'),
      dScanned,
      dNorm,
      into,
      ...sizes.norm,
    );

    const [x, B, readers] = parts(backend.floats(inputs.mixed));
    const [dx, dB, dReaders] = parts(dMixed);
    const A = rates(backend, inputs);
    const values = [x, floats('delta'), A, B, readers, floats('D'), null, dScanned, null];
    kernels.ssdScanGrad(...values, dx, dDelta, dALog, dB, dReaders, dD, null, ...sizes.scan);
    // dA/dA_log = A.
    if (dALog) kernels.multiply(dALog, A, dALog, 1, H, 1, 1);
    backend.recycle(A);

    const [from, to] = [projected, into].map((columns) => columns.subarray(E));
    kernels.causalConv1dGrad(
      from,
      floats('convWeight'),
      floats('convBias'),
      dMixed,
      to,
      dConvWeight,
      dConvBias,
      ...sizes.conv,
    );

    const slopes = shiftedSteps(backend, call);
    kernels.sigmoid(slopes, slopes);
    kernels.multiply(dDelta, slopes, slopes, 1, rows * H, 1, 1);
    kernels.copyStrided(slopes, into, 0, E + C, 2, rows, H, H, 1, W, 1);
    kernels.sum(slopes, dDtBias, 1, rows, H);
    for (const buffer of [dScanned, dMixed, dDelta, slopes]) backend.recycle(buffer);
    return gradients.map(([{ shape }, buffer]) => backend.output(shape, buffer));
  },
};
