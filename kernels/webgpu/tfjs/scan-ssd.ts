import type * as tf from '@tensorflow/tfjs';
import { type Backend, discard } from '../program';
import { CHUNK, type Ssd, ssdScan, ssdSizes } from '../programs/ssd-scan';
import { ssdScanCarry } from '../programs/ssd-scan-carry';
import { ssdScanGrad } from '../programs/ssd-scan-grad';
import { ssdScanState } from '../programs/ssd-scan-state';
import { sumParts } from '../programs/sum-parts';
import type { Call, Kernel } from './kernel';

const ssdOf = ({ inputs: { x, delta, A, B, C, D } }: Call): Ssd => ({ x, delta, A, B, C, D });

function carryOf(backend: Backend, ssd: Ssd, dy?: tf.TensorInfo): tf.TensorInfo {
  const local = ssdScanState(backend, ssd, dy);
  const carry = ssdScanCarry(backend, ssd, local, dy !== undefined);
  discard(backend, local);
  return carry;
}

export const scanSsd = {
  SsdScan: (call) => {
    const { backend } = call;
    const of = ssdOf(call);
    const carry = ssdSizes(of).L > CHUNK ? carryOf(backend, of) : undefined;
    const y = ssdScan(backend, of, carry);
    discard(backend, carry);
    return [y];
  },

  SsdScanGrad: (call) => {
    const { backend, inputs } = call;
    const { dy } = inputs;
    const of = ssdOf(call);
    const { batch, L, H, G, N } = ssdSizes(of);
    const carries = L > CHUNK ? { carry: carryOf(backend, of), back: carryOf(backend, of, dy) } : undefined;
    const dx = ssdScan(backend, of, carries?.back, dy);
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
    discard(backend, packed, carries?.carry, carries?.back);
    return gradients;
  },
} satisfies Record<string, Kernel>;
