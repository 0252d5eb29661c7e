import * as tf from '@tensorflow/tfjs';
import { joined } from './chunks';
import type { ComposedKernel } from './kernel';
import { SsdChunks, segments, swapped, zeroState } from './ssd-chunks';

/**
 * The SSD recurrence in chunks of 64 tokens as matrix products (arXiv 2405.21060, section 6): inside a chunk through the
 * pairs of its tokens, between chunks through states that a scan over chunks carries. All exponents are ≤ 0 and sums of
 * terms of one sign.
 *
 * Floor: L·64·(G·N + H·P) + 2·L·H·P·N multiply-adds a sequence.
 */
export const ssdScan: ComposedKernel = (operands, { finalState, budget }) => {
  const { x, D } = operands;
  let carry = operands.state ?? zeroState(operands);
  const parts: tf.Tensor[] = [];
  for (const segment of segments(operands, budget)) {
    const part = tf.tidy(() => {
      const chunk = new SsdChunks(operands, segment);
      const { entering, leaving } = chunk.states(carry, segment);
      const inside = swapped(tf.matMul(chunk.withProducts(chunk.decays), swapped(chunk.u)));
      const outside = chunk.read(chunk.C, entering).mul(chunk.fromStart.expandDims(3));
      return { y: joined(inside.add(outside), segment), leaving };
    });
    parts.push(part.y);
    carry = part.leaving;
  }
  const y = parts.length > 1 ? tf.concat(parts, 1) : parts[0];
  const output = D ? y.add(x.mul(D.expandDims(1))) : y;
  return finalState ? [output, carry] : [output];
};
