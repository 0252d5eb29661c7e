import * as tf from '@tensorflow/tfjs';
import { chunkStatesBackward, cut, joined, type Segment } from './chunks';
import { type ComposedKernel, type Operands, presentGradients } from './kernel';
import { SsdChunks, segments, swapped, zeroState } from './ssd-chunks';
import { indicator, times } from './triangle';

const PARTS = ['x', 'delta', 'B', 'C'] as const;

/**
 * The gradients of `kernels/reference/ssd-scan.ts`, segment by segment from the end, in the chunks of the forward scan.
 * With w[t,s] = (C_t·B_s) E[t,s] (dy_t·u_s), the gradient of the log decay at k is Σ_{s<k≤t} w[t,s], summed as it stands:
 * no difference of cumulative sums is taken.
 *
 * Floor: three times the multiply-adds of the forward scan.
 */
export const ssdScanGrad: ComposedKernel = (operands, { budget }) => {
  const { x, A, D, dy } = operands;
  const cuts = segments(operands, budget);
  const entered = statesAtCuts(operands, cuts);
  let carry = operands.dState ?? zeroState(operands);
  let dA: tf.Tensor = tf.zerosLike(A);
  const parts: ReturnType<typeof segmentGradients>[] = [];
  for (let i = cuts.length - 1; i >= 0; i--) {
    const part = tf.tidy(() => segmentGradients(operands, cuts[i], entered[i], carry));
    carry = part.leaving;
    dA = dA.add(part.A);
    parts.unshift(part);
  }
  const [dx, delta, B, C] = PARTS.map((name) =>
    tf.concat(
      parts.map((part) => part[name]),
      1,
    ),
  );
  const gradients = {
    x: D ? dx.add(dy.mul(D.expandDims(1))) : dx,
    delta,
    A: dA,
    B,
    C,
    D: D && dy.mul(x).sum([0, 1, 3]),
    state: carry,
  };
  return presentGradients(operands, gradients, ['x', 'delta', 'A', 'B', 'C', 'D', 'state']);
};

/** The states that enter the segments. */
function statesAtCuts(operands: Operands, cuts: readonly Segment[]): tf.Tensor[] {
  const states = [operands.state ?? zeroState(operands)];
  for (const segment of cuts.slice(0, -1)) {
    const before = states[states.length - 1];
    states.push(tf.tidy(() => new SsdChunks(operands, segment).states(before, segment).leaving));
  }
  return states;
}

/** @param carryBack what later segments want of the state that leaves this one [batch,H,P,N] */
function segmentGradients(operands: Operands, segment: Segment, carry: tf.Tensor, carryBack: tf.Tensor) {
  const { A } = operands;
  const chunk = new SsdChunks(operands, segment);
  const dy = cut(operands.dy, segment);
  const states = chunk.states(carry, segment).entering;
  const own = chunk.outer(dy.mul(chunk.fromStart.expandDims(3)), chunk.C);
  const behind = chunkStatesBackward(chunk.byChunk(own, segment), chunk.chunkDecays(segment), carryBack);
  const wanted = behind.entering.reshape(own.shape);

  const [dyHeads, uHeads] = [swapped(dy), swapped(chunk.u)];
  const pairs = tf.matMul(dyHeads, uHeads, false, true).mul(chunk.decays);
  const dProducts = overHeads(pairs, chunk);
  const inside = swapped(tf.matMul(chunk.withProducts(chunk.decays), dyHeads, true, false));
  const outside = chunk.read(chunk.B, wanted).mul(chunk.toEnd.expandDims(3));
  const du = inside.add(outside);
  const decayedDy = dy.mul(chunk.fromStart.expandDims(3));
  const decayedU = chunk.u.mul(chunk.toEnd.expandDims(3));
  const dC = tf.matMul(dProducts, chunk.B).add(tf.matMul(chunk.byGroup(decayedDy), chunk.stateByGroup(states)));
  const dB = tf
    .matMul(dProducts, chunk.C, true, false)
    .add(tf.matMul(chunk.byGroup(decayedU), chunk.stateByGroup(wanted)));

  const read = decayedDy.mul(chunk.read(chunk.C, states)).sum(3);
  const written = chunk.u.mul(outside).sum(3);
  const kept = states.mul(wanted).sum([2, 3]).mul(chunk.across);
  const dLog = logDecayGradient(chunk.withProducts(pairs), swapped(read), swapped(written), kept);
  return {
    x: joined(du.mul(chunk.delta.expandDims(3)), segment),
    delta: joined(dLog.mul(A).add(du.mul(chunk.x).sum(3)), segment),
    A: dLog.mul(chunk.delta).sum([0, 1]),
    B: joined(swapped(dB), segment),
    C: joined(swapped(dC), segment),
    leaving: behind.leaving,
  };
}

/** Sums [rows,H,Q,Q] over the heads of each group: [rows,G,Q,Q]. */
const overHeads = (pairs: tf.Tensor, { rows, G, R, Q }: SsdChunks): tf.Tensor =>
  R === 1 ? pairs : pairs.reshape([rows, G, R, Q, Q]).sum(2);

/**
 * Gradient of Δ_k A [rows,Q,H], from every path across token k: between two tokens of the chunk (`pairs` [rows,H,Q,Q]),
 * from the entering state to a token (`read` [rows,H,Q]), from a token to the leaving state (`written` [rows,H,Q]), and
 * straight through (`kept` [rows,H]).
 */
function logDecayGradient(pairs: tf.Tensor, read: tf.Tensor, written: tf.Tensor, kept: tf.Tensor): tf.Tensor {
  const Q = pairs.shape[3] as number;
  const before = indicator(Q, (s, k) => s < k);
  const from = indicator(Q, (t, k) => t >= k);
  const crossing = times(pairs, before).mul(from).sum(2);
  return swapped(crossing.add(times(read, from)).add(times(written, before)).add(kept.expandDims(2)));
}
