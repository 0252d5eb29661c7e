import type * as tf from '@tensorflow/tfjs';
import { type Backend, discard } from '../program';
import { type Scan, type ScanGradient, scanSizes, selectiveScan } from '../programs/selective-scan';
import { type Carry, selectiveScanCarry } from '../programs/selective-scan-carry';
import { selectiveScanGrad } from '../programs/selective-scan-grad';
import { selectiveScanState } from '../programs/selective-scan-state';
import { sumParts } from '../programs/sum-parts';
import type { Call, Kernel } from './kernel';

/** Tokens of a chunk: short ones give more threads; backward, a thread keeps the states of a whole chunk. */
export const FORWARD = 32;
const BACKWARD = 16;

const scanOf = ({ inputs: { x, delta, A, B, C, D, z, state }, attrs }: Call): Scan => ({
  x,
  delta,
  A,
  B,
  C,
  D,
  z,
  state,
  softplus: attrs.softplus as boolean,
});

export function scanCarry(backend: Backend, scan: Scan, Q: number, gradient?: ScanGradient): Carry {
  const local = selectiveScanState(backend, scan, Q, gradient);
  const carry = selectiveScanCarry(backend, scan, local, Q, gradient);
  discard(backend, local);
  return carry;
}

export const scan = {
  SelectiveScan: (call) => {
    const { backend, attrs } = call;
    const of = scanOf(call);
    const { batch, L, E, N } = scanSizes(of);
    const carried = L > FORWARD || of.state || attrs.finalState;
    const carry = carried ? scanCarry(backend, of, FORWARD) : undefined;
    const results = [selectiveScan(backend, of, FORWARD, carry?.packed)];
    if (carry && attrs.finalState)
      results.push(sumParts(backend, carry.packed, { offset: carry.end, shape: [batch, E, N] }));
    discard(backend, carry?.packed);
    return results;
  },

  SelectiveScanGrad: (call) => {
    const { backend, inputs } = call;
    const { dy, dState } = inputs;
    const of = scanOf(call);
    const { batch, L, N } = scanSizes(of);
    const carried = L > BACKWARD || of.state || dState;
    const carry = carried ? scanCarry(backend, of, BACKWARD) : undefined;
    const back = carried ? scanCarry(backend, of, BACKWARD, { dy, dState }) : undefined;
    const carries = carry && back && { carry: carry.packed, back: back.packed };
    const { packed, chunks, tiles, at } = selectiveScanGrad(backend, of, dy, BACKWARD, carries);
    const copy = (offset: number, { shape }: tf.TensorInfo) => sumParts(backend, packed, { offset, shape });
    const overTiles = (offset: number, { shape }: tf.TensorInfo) =>
      sumParts(backend, packed, { offset, shape, parts: tiles, inner: N });
    const overChunks = (offset: number, { shape }: tf.TensorInfo) =>
      sumParts(backend, packed, { offset, shape, parts: batch * chunks });
    const gradients = [
      copy(0, of.x),
      copy(at.delta, of.delta),
      overChunks(at.A, of.A),
      overTiles(at.B, of.B),
      overTiles(at.C, of.C),
    ];
    if (of.D) gradients.push(overChunks(at.D, of.D));
    if (of.z) gradients.push(copy(at.z, of.z));
    if (of.state && back) gradients.push(sumParts(backend, back.packed, { offset: back.end, shape: of.state.shape }));
    discard(backend, packed, carry?.packed, back?.packed);
    return gradients;
  },
} satisfies Record<string, Kernel>;
