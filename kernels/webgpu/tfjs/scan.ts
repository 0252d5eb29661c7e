import type * as tf from '@tensorflow/tfjs';
import { type Backend, discard } from '../program';
import { type Scan, scanSizes, selectiveScan } from '../programs/selective-scan';
import { selectiveScanCarry } from '../programs/selective-scan-carry';
import { selectiveScanGrad } from '../programs/selective-scan-grad';
import { selectiveScanState } from '../programs/selective-scan-state';
import { sumParts } from '../programs/sum-parts';
import type { Call, Kernel } from './kernel';

/** Tokens of a chunk: short ones give more threads; backward, a thread keeps the states of a whole chunk. */
const [FORWARD, BACKWARD] = [32, 16];

const scanOf = ({ inputs: { x, delta, A, B, C, D, z }, attrs }: Call): Scan => ({
  x,
  delta,
  A,
  B,
  C,
  D,
  z,
  softplus: attrs.softplus as boolean,
});

function carryOf(backend: Backend, scan: Scan, Q: number, dy?: tf.TensorInfo): tf.TensorInfo {
  const local = selectiveScanState(backend, scan, Q, dy && { dy });
  const carry = selectiveScanCarry(backend, scan, local, Q, dy !== undefined);
  discard(backend, local);
  return carry;
}

export const scan = {
  SelectiveScan: (call) => {
    const { backend } = call;
    const of = scanOf(call);
    const carry = scanSizes(of).L > FORWARD ? carryOf(backend, of, FORWARD) : undefined;
    const y = selectiveScan(backend, of, FORWARD, carry);
    discard(backend, carry);
    return [y];
  },

  SelectiveScanGrad: (call) => {
    const { backend, inputs } = call;
    const of = scanOf(call);
    const { batch, L, N } = scanSizes(of);
    const carries =
      L > BACKWARD
        ? { carry: carryOf(backend, of, BACKWARD), back: carryOf(backend, of, BACKWARD, inputs.dy) }
        : undefined;
    const { packed, chunks, tiles, at } = selectiveScanGrad(backend, of, inputs.dy, BACKWARD, carries);
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
    discard(backend, packed, carries?.carry, carries?.back);
    return gradients;
  },
} satisfies Record<string, Kernel>;
