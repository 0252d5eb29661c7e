import * as tf from '@tensorflow/tfjs';
import { chunkStates, cut, joined, type Segment, segmentsOf } from './chunks';
import type { ComposedKernel, Operands } from './kernel';
import { siluOf } from './silu';

/** Tokens of a chunk: all chunks take a step together, so a segment needs this many steps forward, twice. */
const WIDTH = 16;
/** State updates of a segment whose decays and inputs are kept, unless the attribute `budget` says otherwise. */
const BUDGET = 1 << 24;

/**
 * The S6 recurrence in chunks: every chunk runs from a zero state, the states that enter the chunks follow from a scan
 * over chunks, and every chunk runs again from its own. Decays are formed once and all exponents are ≤ 0.
 *
 * Work: about 9 elementwise passes over the B·L·E·N state updates, in 7·16 launches a segment whatever L is. Floor: one
 * exponential and 6 operations an update, 4 bytes of traffic an element of x, delta, z and y.
 */
export const selectiveScan: ComposedKernel = (operands, { softplus, finalState, budget }) => {
  const { x, A, D, z } = operands;
  const delta = softplus ? tf.softplus(operands.delta) : operands.delta;
  let carry = operands.state ?? zeroState(operands);
  const parts: tf.Tensor[] = [];
  for (const segment of segments(operands, budget)) {
    const part = tf.tidy(() => {
      const steps = stepsOf({ ...operands, delta }, segment);
      let state = segment.chunks > 1 ? enteringStates(steps, A, carry, segment).entering : carry;
      const y = steps.map(({ decay, input, C }) => {
        state = tf.tidy(() => decay.mul(state).add(input));
        return tf.matMul(state, C.expandDims(2)).squeeze([2]);
      });
      return { y: joined(tf.stack(y, 1), segment), leaving: lastChunk(state, segment) };
    });
    parts.push(part.y);
    carry = part.leaving;
  }
  const scanned = parts.length > 1 ? tf.concat(parts, 1) : parts[0];
  const y = D ? scanned.add(x.mul(D)) : scanned;
  const gated = z ? y.mul(siluOf(z)) : y;
  return finalState ? [gated, carry] : [gated];
};

/** One step of all chunks of a segment; rows are B·chunks. */
export interface Step {
  /** Δ and x [rows,E]. */
  readonly delta: tf.Tensor;
  readonly x: tf.Tensor;
  /** B and C [rows,N]. */
  readonly B: tf.Tensor;
  readonly C: tf.Tensor;
  /** exp(ΔA) and Δ x ⊗ B [rows,E,N]. */
  readonly decay: tf.Tensor;
  readonly input: tf.Tensor;
}

export function segments({ x, A }: Operands, budget: unknown = BUDGET): Segment[] {
  const [batch, L, E] = x.shape;
  return segmentsOf(L, WIDTH, batch * WIDTH * E * (A.shape[1] as number), budget as number);
}

export const zeroState = ({ x, A }: Operands): tf.Tensor => tf.zeros([x.shape[0], ...A.shape]);

/** @param operands with Δ after softplus */
export function stepsOf({ x, delta, A, B, C }: Operands, segment: Segment): Step[] {
  const [xs, deltas, Bs, Cs] = [x, delta, B, C].map((value) => tf.unstack(cut(value, segment), 1));
  return deltas.map((step, t) => ({
    delta: step,
    x: xs[t],
    B: Bs[t],
    C: Cs[t],
    decay: step.expandDims(2).mul(A).exp(),
    input: step.mul(xs[t]).expandDims(2).mul(Bs[t].expandDims(1)),
  }));
}

/** The states [rows,E,N] that enter the chunks of a segment, and the one [B,E,N] that leaves it. */
export function enteringStates(steps: readonly Step[], A: tf.Tensor, carry: tf.Tensor, { chunks }: Segment) {
  const own = steps
    .slice(1)
    .reduce((state, { decay, input }) => tf.tidy(() => decay.mul(state).add(input)), steps[0].input);
  const byChunk = [carry.shape[0], chunks, ...A.shape];
  const { entering, leaving } = chunkStates(own.reshape(byChunk), chunkDecay(steps, A).reshape(byChunk), carry);
  return { entering: entering.reshape(own.shape), leaving };
}

/** The rows of the last chunk of each sequence: [B·chunks,…] → [B,…]. */
function lastChunk(x: tf.Tensor, { chunks }: Segment): tf.Tensor {
  const [rows, ...rest] = x.shape;
  return x
    .reshape([rows / chunks, chunks, ...rest])
    .slice([0, chunks - 1], [-1, 1])
    .squeeze([1]);
}

/** exp(A Σ Δ) of each chunk [rows,E,N]. */
export const chunkDecay = (steps: readonly Step[], A: tf.Tensor): tf.Tensor =>
  tf
    .addN(steps.map(({ delta }) => delta))
    .expandDims(2)
    .mul(A)
    .exp();
