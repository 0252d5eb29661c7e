import * as tf from '@tensorflow/tfjs';
import type { Tap } from '../hooks';

/**
 * Positions whose state a hook asks for, or null when no hook asks for Ā, B̄ or any state, so that the
 * scan may stay in its kernel.
 */
export function explicitPositions(tap: Tap, L: number): ReadonlySet<number> | null {
  const positions = new Set<number>();
  for (let t = 0; t < L; t++) if (tap.wants(`hook_h.${t}`)) positions.add(t);
  const explicit = positions.size > 0 || ['hook_A_bar', 'hook_B_bar', 'hook_h'].some((point) => tap.wants(point));
  return explicit ? positions : null;
}

/**
 * S_t = decay_t S_{t−1} + input_t with S_{−1} = 0, state by state, so that `hook_h.t` can read or
 * replace each one before the next is formed; `hook_h` sees all of them.
 *
 * decay and input broadcast to [B,L,…state]; returns the states [B,L,…state].
 * Cost: L small operations and the whole [B,L,…state] in memory; for looking, not for training.
 */
export function scanStates(decay: tf.Tensor, input: tf.Tensor, positions: ReadonlySet<number>, tap: Tap): tf.Tensor {
  const inputs = tf.unstack(input, 1);
  const states: tf.Tensor[] = [];
  tf.unstack(decay, 1).forEach((a, t) => {
    const h = t === 0 ? inputs[0] : a.mul(states[t - 1]).add(inputs[t]);
    states.push(positions.has(t) ? tap.at(`hook_h.${t}`, h) : h);
  });
  return tap.at('hook_h', tf.stack(states, 1));
}
