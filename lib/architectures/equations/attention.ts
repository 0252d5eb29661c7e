import * as tf from '@tensorflow/tfjs';
import type { Tap } from '../tap';
import type { AttentionConfig, Shapes } from '../types';
import type { Weights } from '../weights';
import { linear, times } from './nn';
import { projection } from './tensors';

/** Softmax weights that are in memory at a time where nobody asks for all of them: 64 MB. */
const WEIGHTS = 2 ** 24;

/**
 * Causal softmax attention over grouped key heads: u [B,L,d] → W_o z [B,L,d], without what its block does to the sum.
 *
 *     q = W_q u,  k = m_k W_k u,  v = W_v u       (biases inside; u times the input multiplier), q and k rotated
 *     P_h = softmax(scale · q_h k_g(h)ᵀ, j ≤ i),   z_h = P_h v_g(h),   g(h) = ⌊h / (H/KV)⌋
 *
 * With a memory it goes on behind the keys and values of the text so far, which may be of other lengths in other rows of the
 * batch: a row's own tokens are the last ones, and its own count is what rope turns by.
 *
 * Cost O(B H L T D) for T tokens in all. Memory: 64 MB of softmax weights at a time unless a hook asks for them.
 */
export function attention(u: tf.Tensor3D, w: Weights, config: AttentionConfig, tap: Tap): tf.Tensor3D {
  const { H, KV, D, scale } = config;
  const [B, L] = u.shape;
  const input = times(u, config.input);
  const heads = (name: string, count: number) => linear(input, w.under(name)).reshape([B, L, count, D]) as tf.Tensor4D;
  const past = pastOf(tap, B);
  const q = tap.at('hook_q', rotated(heads('q_proj', H), config, past.lengths));
  const k = tap.at('hook_k', rotated(times(heads('k_proj', KV), config.keys), config, past.lengths));
  const v = tap.at('hook_v', heads('v_proj', KV));
  const [keys, values] = remembered(k, v, past, tap);

  const T = keys.shape[1];
  const [K, V] = [keys, values].map((x) => x.transpose([0, 2, 1, 3]) as tf.Tensor4D);
  const read = (first: number, count: number): tf.Tensor4D => {
    const part = q.slice([0, first, 0, 0], [-1, count, -1, -1]).transpose([0, 2, 1, 3]);
    // The query heads of a key head are rows of one product, so that no key is copied.
    const grouped = part.reshape([B, KV, (H / KV) * count, D]);
    const scores = tf.matMul(grouped, K, false, true).mul(scale).reshape([B, H, count, T]);
    const own = scores.add(later(count, T, T - L + first));
    const pattern = tf.softmax(past.keys ? own.add(missing(past, T - L, T)) : own) as tf.Tensor4D;
    const given = tf.matMul(tap.at('hook_attn_pattern', pattern).reshape([B, KV, (H / KV) * count, T]), V);
    return given.reshape([B, H, count, D]).transpose([0, 2, 1, 3]) as tf.Tensor4D;
  };
  const most = tap.wants('hook_attn_pattern') ? L : Math.max(1, Math.floor(WEIGHTS / (B * H * T)));
  const parts: tf.Tensor4D[] = [];
  if (most >= L) parts.push(read(0, L));
  else for (let first = 0; first < L; first += most) parts.push(tf.tidy(() => read(first, Math.min(most, L - first))));
  const whole = parts.length === 1 ? parts[0] : tf.concat(parts, 1);
  const z = tap.at('hook_z', whole.reshape([B, L, H * D]) as tf.Tensor3D);
  return tap.at('hook_attn_out', linear(z, w.under('o_proj')));
}

/** What is added to the score of a token that must not be read. */
const NEVER = -1e30;

/** That of tokens behind the one that reads, [count,T], the first of whose rows reads up to `first`. */
function later(count: number, T: number, first: number): tf.Tensor2D {
  const values = new Float32Array(count * T);
  for (let i = 0; i < count; i++) values.fill(NEVER, i * T + first + i + 1, (i + 1) * T);
  return tf.tensor2d(values, [count, T]);
}

/** That of places before the first token of a row, [B,1,1,T], of which `before` stand before this call. */
function missing({ lengths }: Past, before: number, T: number): tf.Tensor4D {
  const first = lengths.neg().add(before).reshape([-1, 1]);
  return tf.range(0, T).less(first).cast('float32').mul(NEVER).reshape([-1, 1, 1, T]);
}

/** What a row of the batch has behind it. */
interface Past {
  /** Tokens [B]. */
  readonly lengths: tf.Tensor1D;
  /** [B,T,KV,D], each row's own at the end; absent at the start of the text. */
  readonly keys?: tf.Tensor4D;
  readonly values?: tf.Tensor4D;
}

const pastOf = ({ memory }: Tap, B: number): Past => ({
  lengths: (memory?.recall('attended') as tf.Tensor1D | undefined) ?? tf.zeros([B]),
  keys: memory?.recall('keys') as tf.Tensor4D | undefined,
  values: memory?.recall('values') as tf.Tensor4D | undefined,
});

/** Keys and values of the text so far, which a memory keeps for the next call. */
function remembered(k: tf.Tensor4D, v: tf.Tensor4D, past: Past, { memory }: Tap): [tf.Tensor4D, tf.Tensor4D] {
  const keys = past.keys ? tf.concat([past.keys, k], 1) : k;
  const values = past.values ? tf.concat([past.values, v], 1) : v;
  if (memory) {
    memory.store('keys', keys.clone());
    memory.store('values', values.clone());
    memory.store('attended', past.lengths.add(k.shape[1]));
  }
  return [keys, values];
}

/** x [B,L,heads,D] with each pair of components turned by the position of its token, the first after `before` tokens. */
function rotated(x: tf.Tensor4D, { rope }: AttentionConfig, before: tf.Tensor1D): tf.Tensor4D {
  if (!rope) return x;
  const { theta, width } = rope;
  const [B, L, , D] = x.shape;
  const half = width / 2;
  const turns = Float32Array.from({ length: half }, (_, i) => Math.fround(1 / theta ** Math.fround((2 * i) / width)));
  const positions = tf.range(0, L).add(before.reshape([B, 1]));
  const angles = positions.reshape([B, L, 1, 1]).mul(tf.tensor1d(turns));
  const [cos, sin] = [tf.cos(angles), tf.sin(angles)];
  const [a, b, rest] = tf.split(x, width < D ? [half, half, D - width] : [half, half], 3);
  const turned = [a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))];
  return tf.concat(width < D ? [...turned, rest] : turned, 3) as tf.Tensor4D;
}

export const attentionTensors = (d: number, { H, KV, D, useBias }: AttentionConfig): Shapes => [
  ...projection('q_proj', H * D, d, useBias),
  ...projection('k_proj', KV * D, d, useBias),
  ...projection('v_proj', KV * D, d, useBias),
  ...projection('o_proj', d, H * D, useBias),
];
