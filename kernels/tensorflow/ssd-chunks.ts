import * as tf from '@tensorflow/tfjs';
import { chunkStates, cut, type Segment, segmentsOf } from './chunks';
import type { Operands } from './kernel';
import { indicator, times } from './triangle';

/** Tokens of a chunk. */
const WIDTH = 64;
/** Elements of a segment's largest tensor (pairs of a chunk's tokens, or states), unless the attribute `budget` differs. */
const BUDGET = 1 << 23;

export function segments({ x, B }: Operands, budget: unknown = BUDGET): Segment[] {
  const [batch, L, H, P] = x.shape as number[];
  return segmentsOf(L, WIDTH, batch * H * Math.max(WIDTH * WIDTH, P * (B.shape[3] as number)), budget as number);
}

export const zeroState = ({ x, B }: Operands): tf.Tensor =>
  tf.zeros([x.shape[0], x.shape[2] as number, x.shape[3] as number, B.shape[3] as number]);

/** Axes 1 and 2 swapped. */
export function swapped(x: tf.Tensor): tf.Tensor {
  const [a, b, c, ...rest] = x.shape;
  if (b === 1 || c === 1) return x.reshape([a, c, b, ...rest]);
  return tf.transpose(x, [0, 2, 1, ...rest.map((_, i) => i + 3)]);
}

/** One segment as chunks: rows = batch·chunks, Q tokens, H heads of P channels in G groups of R = H/G, N states. */
export class SsdChunks {
  readonly rows: number;
  readonly Q: number;
  readonly H: number;
  readonly P: number;
  readonly G: number;
  readonly R: number;
  readonly N: number;
  /** Δ [rows,Q,H]. */
  readonly delta: tf.Tensor;
  /** x and u = Δx, [rows,Q,H,P]. */
  readonly x: tf.Tensor;
  readonly u: tf.Tensor;
  /** [rows,G,Q,N]. */
  readonly B: tf.Tensor;
  readonly C: tf.Tensor;
  /** C_t·B_s of each group [rows,G,1,Q,Q]. */
  readonly products: tf.Tensor;
  /** exp(Σ_{k=s+1..t} Δ_k A) at [t,s] for s ≤ t, else 0: [rows,H,Q,Q]. */
  readonly decays: tf.Tensor;
  /** From before the chunk up to token t, exp(Σ_{k≤t} Δ_k A) [rows,Q,H]. */
  readonly fromStart: tf.Tensor;
  /** From token s to the chunk's end, exp(Σ_{k>s} Δ_k A) [rows,Q,H]. */
  readonly toEnd: tf.Tensor;
  /** Across the chunk [rows,H]. */
  readonly across: tf.Tensor;

  constructor({ x, delta, A, B, C }: Operands, segment: Segment) {
    this.x = cut(x, segment);
    this.delta = cut(delta, segment);
    [this.rows, this.Q, this.H, this.P] = this.x.shape as [number, number, number, number];
    [, , this.G, this.N] = B.shape as [number, number, number, number];
    this.R = this.H / this.G;
    this.u = this.x.mul(this.delta.expandDims(3));
    this.B = swapped(cut(B, segment));
    this.C = swapped(cut(C, segment));

    const { Q } = this;
    const upTo = indicator(Q, (k, t) => k <= t);
    const after = indicator(Q, (k, s) => k > s);
    const logDecay = swapped(this.delta.mul(A));
    const between = times(logDecay.expandDims(2).mul(tf.transpose(upTo)), after);
    this.decays = between.exp().mul(tf.transpose(upTo));
    this.fromStart = swapped(times(logDecay, upTo).exp());
    this.toEnd = swapped(times(logDecay, after).exp());
    this.across = logDecay.sum(2).exp();
    this.products = tf.matMul(this.C, this.B, false, true).expandDims(2);
  }

  /** pairs [rows,H,Q,Q] times C_t·B_s of the head's group. */
  withProducts(pairs: tf.Tensor): tf.Tensor {
    const { rows, G, R, Q } = this;
    return pairs.reshape([rows, G, R, Q, Q]).mul(this.products).reshape(pairs.shape);
  }

  /** [rows,Q,H,P] as [rows,G,Q,R·P]: a product with B or C of a group. */
  byGroup(value: tf.Tensor): tf.Tensor {
    const { rows, Q, G, R, P } = this;
    return swapped(value.reshape([rows, Q, G, R * P]));
  }

  /** [rows,G,Q,R·P] as [rows,Q,H,P]. */
  byHead(value: tf.Tensor): tf.Tensor {
    const { rows, Q, H, P } = this;
    return swapped(value).reshape([rows, Q, H, P]);
  }

  /** States [rows,H,P,N] as [rows,G,R·P,N]. */
  stateByGroup(state: tf.Tensor): tf.Tensor {
    const { rows, G, R, P, N } = this;
    return state.reshape([rows, G, R * P, N]);
  }

  /** Σ_t left_t ⊗ right_t over a chunk: [rows,Q,H,P], [rows,G,Q,N] → [rows,H,P,N]. */
  outer(left: tf.Tensor, right: tf.Tensor): tf.Tensor {
    const { rows, H, P, N } = this;
    return tf.matMul(this.byGroup(left), right, true, false).reshape([rows, H, P, N]);
  }

  /** left_t[g] · state: [rows,G,Q,N], [rows,H,P,N] → [rows,Q,H,P]. */
  read(left: tf.Tensor, state: tf.Tensor): tf.Tensor {
    return this.byHead(tf.matMul(left, this.stateByGroup(state), false, true));
  }

  /** States [rows,H,P,N] or decays [rows,H] as [batch,chunks,…]. */
  byChunk(value: tf.Tensor, { chunks }: Segment): tf.Tensor {
    return value.reshape([this.rows / chunks, chunks, ...value.shape.slice(1)]);
  }

  /** The decays across chunks as [batch,chunks,H,1,1]. */
  chunkDecays(segment: Segment): tf.Tensor {
    return this.byChunk(this.across.expandDims(2).expandDims(3), segment);
  }

  /** The states [rows,H,P,N] that enter the chunks, and the one [batch,H,P,N] that leaves the segment. */
  states(carry: tf.Tensor, segment: Segment) {
    const own = this.outer(this.u.mul(this.toEnd.expandDims(3)), this.B);
    const { entering, leaving } = chunkStates(this.byChunk(own, segment), this.chunkDecays(segment), carry);
    return { entering: entering.reshape(own.shape), leaving };
  }
}
