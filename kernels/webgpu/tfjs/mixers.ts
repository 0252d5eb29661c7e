import type * as tf from '@tensorflow/tfjs';
import { discard } from '../program';
import { causalConv1d } from '../programs/causal-conv1d';
import { pastInputs } from '../programs/past-inputs';
import { rmsNorm } from '../programs/rms-norm';
import { selectiveScan } from '../programs/selective-scan';
import { FORWARD as SSD_FORWARD, ssdScan } from '../programs/ssd-scan';
import { sumParts } from '../programs/sum-parts';
import type { Call, Kernel } from './kernel';
import { projection } from './products';
import { FORWARD, scanCarry } from './scan';
import { ssdCarry } from './scan-ssd';

/** y and, where a text goes on, the last inputs of the convolution and the last state. */
function s6Mixer({ backend, inputs }: Call, goesOn: boolean): tf.TensorInfo[] {
  const { projected, convWeight, convBias, xProj, dtProj, dtBias, A_log, D, past, state } = inputs;
  const [batch, L, both] = projected.shape;
  const [E, N, R] = [both / 2, A_log.shape[1], dtProj.shape[1]];
  const rows = batch * L;
  const wide = R + 2 * N;
  const halves = { x: { stride: both, offset: 0 }, z: { stride: both, offset: E } };
  const convolution = {
    ...{ x: projected, weight: convWeight, bias: convBias, past, silu: true },
    columns: halves.x,
  };
  const x = causalConv1d(backend, convolution);
  const operands = projection(backend, { x, weight: xProj, rows, shape: [rows, wide] });
  const delta = projection(backend, {
    ...{ x: operands, columns: { stride: wide, offset: 0 }, weight: dtProj, bias: dtBias, rows },
    shape: [batch, L, E],
  });
  const scan = {
    ...{ x, delta, A: A_log, B: operands, C: operands, D, z: projected, state, softplus: true, logarithmic: true },
    columns: { z: halves.z, B: { stride: wide, offset: R }, C: { stride: wide, offset: R + N } },
  };
  const carry = L > FORWARD || goesOn ? scanCarry(backend, scan, FORWARD) : undefined;
  const results = [selectiveScan(backend, scan, FORWARD, carry?.packed)];
  if (carry && goesOn)
    results.push(
      pastInputs(backend, convolution),
      sumParts(backend, carry.packed, { offset: carry.end, shape: [batch, E, N] }),
    );
  discard(backend, x, operands, delta, carry?.packed);
  return results;
}

function ssdMixer({ backend, inputs, attrs }: Call, goesOn: boolean): tf.TensorInfo[] {
  const { projected, convWeight, convBias, dtBias, A_log, D, norm, past, state } = inputs;
  const [batch, L, wide] = projected.shape;
  const [channels, E, H, G] = [convWeight.shape[0], norm.shape[0], A_log.shape[0], attrs.groups as number];
  const [N, P] = [(channels - E) / (2 * G), E / H];
  const at = (offset: number, stride = channels) => ({ stride, offset });
  const convolution = {
    ...{ x: projected, weight: convWeight, bias: convBias, past, silu: true },
    columns: at(E, wide),
  };
  const mixed = causalConv1d(backend, convolution);
  const ssd = {
    ...{ x: mixed, delta: projected, A: A_log, B: mixed, C: mixed, D, state },
    mixer: {
      sizes: { batch, L, H, P, G, N },
      columns: { x: at(0), B: at(E), C: at(E + G * N), delta: at(E + channels, wide) },
      dtBias,
    },
  };
  const carry = L > SSD_FORWARD || goesOn ? ssdCarry(backend, ssd) : undefined;
  const scanned = ssdScan(backend, ssd, SSD_FORWARD, carry?.packed);
  const flat = { ...scanned, shape: [batch, L, E] };
  const gate = { gate: projected, gateColumns: at(0, wide) };
  const results = [rmsNorm(backend, { x: flat, weight: norm, ...gate, groups: G, epsilon: attrs.epsilon as number })];
  if (carry && goesOn)
    results.push(
      pastInputs(backend, convolution),
      sumParts(backend, carry.packed, { offset: carry.end, shape: [batch, H, P, N] }),
    );
  discard(backend, mixed, scanned, carry?.packed);
  return results;
}

/** Mixers between their projections, forward only: every operand is read where a product wrote it. */
export const mixers = {
  S6Mixer: (call) => s6Mixer(call, false),
  S6MixerWithState: (call) => s6Mixer(call, true),
  SsdMixer: (call) => ssdMixer(call, false),
  SsdMixerWithState: (call) => ssdMixer(call, true),
} satisfies Record<string, Kernel>;
