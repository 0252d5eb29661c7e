import * as tf from '@tensorflow/tfjs';
import { chunkStatesBackward, cut, joined, type Segment } from './chunks';
import { type ComposedKernel, type Operands, presentGradients } from './kernel';
import { chunkDecay, enteringStates, type Step, segments, stepsOf, zeroState } from './selective-scan';
import { siluOf, siluSlope } from './silu';

/**
 * The gradients of `kernels/reference/selective-scan.ts`, segment by segment from the end: states are made again from
 * those that entered the segment, and G_t = C_t du_t + a_{t+1} G_{t+1} is the same scan in chunks, backwards.
 *
 * Work: about 22 elementwise passes over the B·L·E·N state updates. Memory: three tensors of a segment's updates. Floor:
 * one exponential and 16 operations an update.
 */
export const selectiveScanGrad: ComposedKernel = (operands, { softplus, budget }) => {
  const { x, A, D, z, dy } = operands;
  const delta = softplus ? tf.softplus(operands.delta) : operands.delta;
  const all = { ...operands, delta, du: z ? dy.mul(siluOf(z)) : dy };
  const cuts = segments(operands, budget);
  const entered = statesAtCuts(all, cuts);
  let carry = operands.dState ?? zeroState(operands);
  let dA: tf.Tensor = tf.zerosLike(A);
  const parts: ReturnType<typeof segmentGradients>[] = [];
  for (let i = cuts.length - 1; i >= 0; i--) {
    const part = tf.tidy(() => segmentGradients(all, cuts[i], entered[i], carry));
    carry = part.leaving;
    dA = dA.add(part.A);
    parts.unshift(part);
  }
  const whole = (name: 'x' | 'delta' | 'B' | 'C' | 'y') =>
    tf.concat(
      parts.map((part) => part[name]),
      1,
    );
  const skip = D ? x.mul(D) : undefined;
  const gradients = {
    x: D ? whole('x').add(all.du.mul(D)) : whole('x'),
    delta: softplus ? whole('delta').mul(tf.sigmoid(operands.delta)) : whole('delta'),
    A: dA,
    B: whole('B'),
    C: whole('C'),
    D: D && all.du.mul(x).sum([0, 1]),
    z: z && dy.mul(siluSlope(z)).mul(skip ? whole('y').add(skip) : whole('y')),
    state: carry,
  };
  return presentGradients(operands, gradients, ['x', 'delta', 'A', 'B', 'C', 'D', 'z', 'state']);
};

/** The states that enter the segments. */
function statesAtCuts(operands: Operands, cuts: readonly Segment[]): tf.Tensor[] {
  const states = [operands.state ?? zeroState(operands)];
  for (const segment of cuts.slice(0, -1)) {
    const before = states[states.length - 1];
    states.push(tf.tidy(() => enteringStates(stepsOf(operands, segment), operands.A, before, segment).leaving));
  }
  return states;
}

function segmentGradients(operands: Operands, segment: Segment, carry: tf.Tensor, carryBack: tf.Tensor) {
  const { A, du } = operands;
  const steps = stepsOf(operands, segment);
  const dus = tf.unstack(cut(du, segment), 1);
  const states = [enteringStates(steps, A, carry, segment).entering];
  for (const { decay, input } of steps) states.push(tf.tidy(() => decay.mul(states[states.length - 1]).add(input)));

  const { entering, leaving } = enteringFromBehind(steps, dus, A, carryBack, segment);
  let behind = entering;
  let dA: tf.Tensor = tf.zerosLike(A);
  const gradients = { x: [], delta: [], B: [], C: [], y: [] } as Record<'x' | 'delta' | 'B' | 'C' | 'y', tf.Tensor[]>;
  for (let t = steps.length - 1; t >= 0; t--) {
    const step = tf.tidy(() => stepGradients(steps[t], dus[t], behind, states[t], states[t + 1], A));
    behind = step.behind;
    dA = dA.add(step.A);
    for (const name of ['x', 'delta', 'B', 'C', 'y'] as const) gradients[name].unshift(step[name]);
  }
  const rows = (name: keyof typeof gradients) => joined(tf.stack(gradients[name], 1), segment);
  return { x: rows('x'), delta: rows('delta'), B: rows('B'), C: rows('C'), y: rows('y'), A: dA, leaving };
}

/** One step back: `behind` is a_{t+1} G_{t+1} [rows,E,N]. */
function stepGradients(
  { delta, x, B, C, decay }: Step,
  du: tf.Tensor,
  behind: tf.Tensor,
  before: tf.Tensor,
  after: tf.Tensor,
  A: tf.Tensor,
) {
  const G = du.expandDims(2).mul(C.expandDims(1)).add(behind);
  const passed = decay.mul(G);
  const throughDecay = passed.mul(before);
  const BG = tf.matMul(G, B.expandDims(2)).squeeze([2]);
  return {
    behind: passed,
    A: throughDecay.mul(delta.expandDims(2)).sum(0),
    x: delta.mul(BG),
    delta: throughDecay.mul(A).sum(2).add(x.mul(BG)),
    B: tf.matMul(delta.mul(x).expandDims(1), G).squeeze([1]),
    C: tf.matMul(du.expandDims(1), after).squeeze([1]),
    y: tf.matMul(after, C.expandDims(2)).squeeze([2]),
  };
}

/** a_{t+1} G_{t+1} at the last token of each chunk [rows,E,N], and what leaves the first chunk [B,E,N]. */
function enteringFromBehind(
  steps: readonly Step[],
  dus: readonly tf.Tensor[],
  A: tf.Tensor,
  carry: tf.Tensor,
  { chunks }: Segment,
) {
  let own: tf.Tensor | undefined;
  for (let t = steps.length - 1; t >= 0; t--) {
    const { decay, C } = steps[t];
    const previous = own;
    own = tf.tidy(() => {
      const g = dus[t].expandDims(2).mul(C.expandDims(1));
      return decay.mul(previous ? g.add(previous) : g);
    });
  }
  const byChunk = [carry.shape[0], chunks, ...A.shape];
  const decay = chunkDecay(steps, A);
  const { entering, leaving } = chunkStatesBackward((own as tf.Tensor).reshape(byChunk), decay.reshape(byChunk), carry);
  return { entering: entering.reshape(decay.shape), leaving };
}
