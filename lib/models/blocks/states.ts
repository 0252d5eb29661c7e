import * as tf from '@tensorflow/tfjs';
import type { Tap } from '../hooks';

/**
 * Positions in this call whose state a hook asks for, or null when nobody asks for Ā, B̄ or any state and none
 * is carried over from an earlier call, so that the scan may stay in its kernel.
 */
export function explicitPositions(tap: Tap, L: number): ReadonlySet<number> | null {
  const first = tap.memory?.position ?? 0;
  const positions = new Set<number>();
  for (let t = 0; t < L; t++) if (tap.wants(`hook_h.${first + t}`)) positions.add(t);
  const explicit =
    tap.memory !== undefined ||
    positions.size > 0 ||
    ['hook_A_bar', 'hook_B_bar', 'hook_h'].some((point) => tap.wants(point));
  return explicit ? positions : null;
}

/**
 * S_t = decay_t S_{t−1} + input_t, state by state, so that `hook_h.t` can read or replace each one before the
 * next is formed; `hook_h` sees all of them. S_{−1} is what an earlier call left in the tap's memory, else 0.
 *
 * decay and input broadcast to [B,L,…state]; returns the states [B,L,…state].
 * Cost: L small operations and the whole [B,L,…state] in memory; for looking, not for training.
 */
export function scanStates(decay: tf.Tensor, input: tf.Tensor, positions: ReadonlySet<number>, tap: Tap): tf.Tensor {
  const first = tap.memory?.position ?? 0;
  const inputs = tf.unstack(input, 1);
  const states: tf.Tensor[] = [];
  let past: tf.Tensor | undefined = tap.memory?.recall('ssm');
  for (const [t, a] of tf.unstack(decay, 1).entries()) {
    const h: tf.Tensor = past ? a.mul(past).add(inputs[t]) : inputs[t];
    past = positions.has(t) ? tap.at(`hook_h.${first + t}`, h) : h;
    states.push(past);
  }
  const all = tap.at('hook_h', tf.stack(states, 1));
  tap.memory?.store('ssm', tf.squeeze(all.slice([0, states.length - 1], [-1, 1]), [1]));
  return all;
}
