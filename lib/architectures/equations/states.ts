import * as tf from '@tensorflow/tfjs';
import type { MixerMemory, MixerOutput } from '@/kernels/ops';
import type { Memory, Tap } from '../tap';

/**
 * Positions in this call whose state a hook asks for, or null when nobody asks for Ā, B̄ or any state, so that the scan
 * may stay in its kernel.
 */
export function explicitPositions(tap: Tap, L: number): ReadonlySet<number> | null {
  const first = tap.memory?.position ?? 0;
  const positions = new Set<number>();
  for (let t = 0; t < L; t++) if (tap.wants(`hook_h.${first + t}`)) positions.add(t);
  const explicit = positions.size > 0 || ['hook_A_bar', 'hook_B_bar', 'hook_h'].some((point) => tap.wants(point));
  return explicit ? positions : null;
}

/** What a whole mixer in one kernel goes on from. */
export const recall = (memory: Memory): MixerMemory => ({
  past: memory.recall('conv') as tf.Tensor3D | undefined,
  state: memory.recall('ssm'),
});

/** Keeps what it leaves for the call behind this one, and returns its output. */
export function remember({ y, past, state }: MixerOutput, memory: Memory): tf.Tensor3D {
  memory.store('conv', past);
  memory.store('ssm', state);
  return y;
}

/** A scan in its kernel: with a memory, it goes on from the state of the call before and leaves its own for the next. */
export function scanInKernel<Inputs extends object, Y extends tf.Tensor, State extends tf.Tensor>(
  inputs: Inputs,
  { memory }: Tap,
  plain: (inputs: Inputs) => Y,
  withState: (inputs: Inputs & { state?: State }) => { y: Y; state: State },
): Y {
  if (!memory) return plain(inputs);
  const { y, state } = withState({ ...inputs, state: memory.recall('ssm') as State | undefined });
  memory.store('ssm', state);
  return y;
}

/** One recurrence S_t = decay(t) S_{t−1} + input(t), y_t = read(S_t, t), token by token; t counts from 0 in this call. */
export interface Recurrence {
  readonly L: number;
  readonly decay: (t: number) => tf.Tensor;
  readonly input: (t: number) => tf.Tensor;
  readonly read: (state: tf.Tensor, t: number) => tf.Tensor;
}

/**
 * Runs a recurrence in the open, so that `hook_h.t` can read or replace each state before the next is formed.
 * S_{−1} is what an earlier call left in the tap's memory, else 0. Returns y [B,L,…].
 *
 * Cost: a few small operations per token. Memory: one state, and those that were asked for (`hook_h`: all of them).
 */
export function scanInTheOpen(step: Recurrence, positions: ReadonlySet<number>, tap: Tap): tf.Tensor {
  const first = tap.memory?.position ?? 0;
  const wantsAll = tap.wants('hook_h');
  const states: tf.Tensor[] = [];
  const outputs: tf.Tensor[] = [];
  let past: tf.Tensor | undefined = tap.memory?.recall('ssm');
  for (let t = 0; t < step.L; t++) {
    const before = past;
    const h: tf.Tensor = tf.tidy(() => (before ? step.decay(t).mul(before).add(step.input(t)) : step.input(t)));
    past = positions.has(t) ? tap.at(`hook_h.${first + t}`, h) : h;
    if (wantsAll) states.push(past);
    else outputs.push(tf.tidy(() => step.read(past as tf.Tensor, t)));
  }
  if (wantsAll) {
    const all = tap.at('hook_h', tf.stack(states, 1));
    past = at(all, step.L - 1);
    outputs.push(...Array.from({ length: step.L }, (_, t) => step.read(at(all, t), t)));
  }
  tap.memory?.store('ssm', past as tf.Tensor);
  return tf.stack(outputs, 1);
}

/** Row t of [B,L,…], as [B,…]. */
export const at = (x: tf.Tensor, t: number): tf.Tensor => tf.squeeze(x.slice([0, t], [-1, 1]), [1]);
