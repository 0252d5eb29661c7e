import { discard } from '../program';
import { causalConv1d } from '../programs/causal-conv1d';
import { product } from '../programs/product';
import { rmsNorm } from '../programs/rms-norm';
import { selectiveScan } from '../programs/selective-scan';
import { FORWARD as SSD_FORWARD, ssdScan } from '../programs/ssd-scan';
import type { Kernel } from './kernel';
import { FORWARD, scanCarry } from './scan';
import { ssdCarry } from './scan-ssd';

/** Mixers between their projections, forward only: every operand is read where a product wrote it. */
export const mixers = {
  S6Mixer: ({ backend, inputs }) => {
    const { projected, convWeight, convBias, xProj, dtProj, dtBias, A_log, D } = inputs;
    const [batch, L, both] = projected.shape;
    const [E, N, R] = [both / 2, A_log.shape[1], dtProj.shape[1]];
    const rows = batch * L;
    const wide = R + 2 * N;
    const halves = { x: { stride: both, offset: 0 }, z: { stride: both, offset: E } };
    const x = causalConv1d(backend, {
      ...{ x: projected, weight: convWeight, bias: convBias, silu: true },
      columns: halves.x,
    });
    const operands = product(backend, {
      ...{ lhs: x, rhs: xProj, M: rows, N: wide, K: E, transposeA: false, transposeB: true },
      shape: [rows, wide],
    });
    const delta = product(backend, {
      ...{ lhs: operands, rhs: dtProj, bias: dtBias, M: rows, N: E, K: R, transposeA: false, transposeB: true },
      columns: { stride: wide, offset: 0 },
      shape: [batch, L, E],
    });
    const scan = {
      ...{ x, delta, A: A_log, B: operands, C: operands, D, z: projected, softplus: true, logarithmic: true },
      columns: { z: halves.z, B: { stride: wide, offset: R }, C: { stride: wide, offset: R + N } },
    };
    const carry = L > FORWARD ? scanCarry(backend, scan, FORWARD).packed : undefined;
    const y = selectiveScan(backend, scan, FORWARD, carry);
    discard(backend, x, operands, delta, carry);
    return [y];
  },

  SsdMixer: ({ backend, inputs, attrs }) => {
    const { projected, convWeight, convBias, dtBias, A_log, D, norm } = inputs;
    const [batch, L, wide] = projected.shape;
    const [channels, E, H, G] = [convWeight.shape[0], norm.shape[0], A_log.shape[0], attrs.groups as number];
    const N = (channels - E) / (2 * G);
    const at = (offset: number, stride = channels) => ({ stride, offset });
    const mixed = causalConv1d(backend, {
      ...{ x: projected, weight: convWeight, bias: convBias, silu: true },
      columns: at(E, wide),
    });
    const ssd = {
      ...{ x: mixed, delta: projected, A: A_log, B: mixed, C: mixed, D },
      mixer: {
        sizes: { batch, L, H, P: E / H, G, N },
        columns: { x: at(0), B: at(E), C: at(E + G * N), delta: at(E + channels, wide) },
        dtBias,
      },
    };
    const carry = ssdCarry(backend, ssd)?.packed;
    const scanned = ssdScan(backend, ssd, SSD_FORWARD, carry);
    const flat = { ...scanned, shape: [batch, L, E] };
    const gate = { gate: projected, gateColumns: at(0, wide) };
    const y = rmsNorm(backend, { x: flat, weight: norm, ...gate, groups: G, epsilon: attrs.epsilon as number });
    discard(backend, mixed, scanned, carry);
    return [y];
  },
} satisfies Record<string, Kernel>;
