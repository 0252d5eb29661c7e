import type * as tf from '@tensorflow/tfjs';
import { type Backend, discard } from '../program';
import type { ScanGradient } from '../programs/selective-scan';
import type { Carry } from '../programs/selective-scan-carry';
import { BACKWARD, FORWARD, type Ssd, ssdScan, ssdSizes } from '../programs/ssd-scan';
import { ssdScanCarry } from '../programs/ssd-scan-carry';
import { ssdScanGrad } from '../programs/ssd-scan-grad';
import { ssdScanState } from '../programs/ssd-scan-state';
import { sumParts } from '../programs/sum-parts';
import type { Call, Kernel } from './kernel';

const ssdOf = ({ inputs: { x, delta, A, B, C, D, state } }: Call): Ssd => ({ x, delta, A, B, C, D, state });

function carryOf(backend: Backend, ssd: Ssd, Q: number, gradient?: ScanGradient): Carry {
  const local = ssdScanState(backend, ssd, Q, gradient?.dy);
  const carry = ssdScanCarry(backend, ssd, local, Q, gradient);
  discard(backend, local);
  return carry;
}

/** The states before each chunk of a pass forward, and the one behind it. */
export const ssdCarry = (backend: Backend, ssd: Ssd): Carry => carryOf(backend, ssd, FORWARD);

export const scanSsd = {
  SsdScan: (call) => {
    const { backend, attrs } = call;
    const of = ssdOf(call);
    const { batch, L, H, P, N } = ssdSizes(of);
    const carry = L > FORWARD || of.state || attrs.finalState ? ssdCarry(backend, of) : undefined;
    const results = [ssdScan(backend, of, FORWARD, carry?.packed)];
    if (carry && attrs.finalState)
      results.push(sumParts(backend, carry.packed, { offset: carry.end, shape: [batch, H, P, N] }));
    discard(backend, carry?.packed);
    return results;
  },

  SsdScanGrad: (call) => {
    const { backend, inputs } = call;
    const { dy, dState } = inputs;
    const of = ssdOf(call);
    const { batch, L, H, G, N } = ssdSizes(of);
    const carried = L > BACKWARD || of.state || dState;
    const carry = carried ? carryOf(backend, of, BACKWARD) : undefined;
    const back = carried ? carryOf(backend, of, BACKWARD, { dy, dState }) : undefined;
    const carries = carry && back && { carry: carry.packed, back: back.packed };
    const dx = ssdScan(backend, of, BACKWARD, back?.packed, dy);
    const { packed, chunks, at } = ssdScanGrad(backend, of, dy, carries);
    const overHeads = (offset: number, { shape }: tf.TensorInfo) =>
      sumParts(backend, packed, { offset, shape, parts: H / G, inner: N });
    const overChunks = (offset: number, { shape }: tf.TensorInfo) =>
      sumParts(backend, packed, { offset, shape, parts: batch * chunks });
    const gradients = [
      dx,
      sumParts(backend, packed, { offset: at.delta, shape: of.delta.shape }),
      overChunks(at.A, of.A),
      overHeads(at.B, of.B),
      overHeads(at.C, of.C),
    ];
    if (of.D) gradients.push(overChunks(at.D, of.D));
    if (of.state && back) gradients.push(sumParts(backend, back.packed, { offset: back.end, shape: of.state.shape }));
    discard(backend, packed, carry?.packed, back?.packed);
    return gradients;
  },
} satisfies Record<string, Kernel>;
