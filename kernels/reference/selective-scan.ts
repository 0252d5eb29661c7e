import { type Real, sigmoid, siluOf, siluSlope, softplus } from './real';

/** Row-major arrays of one selective scan; shapes in brackets. */
export interface SelectiveScanInput {
  readonly batch: number;
  readonly L: number;
  readonly E: number;
  readonly N: number;
  /** [B,L,E] */
  readonly x: Real;
  /** [B,L,E]; before softplus when `softplus` is true. */
  readonly delta: Real;
  /** [E,N], negative. */
  readonly A: Real;
  /** [B,L,N] */
  readonly B: Real;
  /** [B,L,N] */
  readonly C: Real;
  /** [E] */
  readonly D?: Real;
  /** [B,L,E] */
  readonly z?: Real;
  /** [B,E,N], the state before the first token; 0 where absent. */
  readonly state?: Real;
  readonly softplus: boolean;
}

export interface SelectiveScanGradients {
  readonly x: Float64Array;
  readonly delta: Float64Array;
  readonly A: Float64Array;
  readonly B: Float64Array;
  readonly C: Float64Array;
  readonly D?: Float64Array;
  readonly z?: Float64Array;
  readonly state?: Float64Array;
}

/**
 * The S6 recurrence of Mamba-1 (equations A1, steps 3–5), per channel e:
 *
 *     S_t[n] = exp(Δ_t A[e,n]) S_{t−1}[n] + Δ_t B_t[n] x_t,   S_{−1} = `state` or 0
 *     y_t = (Σ_n C_t[n] S_t[n] + D x_t) · SiLU(z_t)
 *
 * with Δ = softplus(delta) where `softplus` is set. Returns y [B,L,E] and the last state [B,E,N]. Cost O(B·L·E·N).
 */
export function selectiveScanWithState(input: SelectiveScanInput): { y: Float64Array; state: Float64Array } {
  const { batch, L, E, N, x, A, B, C, D, z } = input;
  const y = new Float64Array(batch * L * E);
  const states = input.state ? Float64Array.from(input.state) : new Float64Array(batch * E * N);
  for (let b = 0; b < batch; b++) {
    for (let e = 0; e < E; e++) {
      const state = states.subarray((b * E + e) * N, (b * E + e + 1) * N);
      for (let t = 0; t < L; t++) {
        const row = b * L + t;
        const at = row * E + e;
        const step = input.softplus ? softplus(input.delta[at]) : input.delta[at];
        let sum = D ? D[e] * x[at] : 0;
        for (let n = 0; n < N; n++) {
          state[n] = Math.exp(step * A[e * N + n]) * state[n] + step * B[row * N + n] * x[at];
          sum += C[row * N + n] * state[n];
        }
        y[at] = z ? sum * siluOf(z[at]) : sum;
      }
    }
  }
  return { y, state: states };
}

/** y of {@link selectiveScanWithState}. */
export function selectiveScan(input: SelectiveScanInput): Float64Array {
  return selectiveScanWithState(input).y;
}

/**
 * Gradients of {@link selectiveScanWithState} for `dy` [B,L,E] and `dState` [B,E,N] of the last state (0 where absent). With a_t = exp(Δ_t A), u the output before the gate and
 * G_t = ∂loss/∂S_t:
 *
 *     du = dy · SiLU(z),   dz = dy · u · SiLU'(z),   G_t = C_t du_t + a_{t+1} G_{t+1}
 *     dx = D du + Δ Σ_n B G,   dΔ = Σ_n G (A a S_{t−1} + B x),   ddelta = dΔ · σ(delta)
 *     dA = Σ_t Δ a S_{t−1} G,   dB = Σ_e Δ x G,   dC = Σ_e du S_t,   dD = Σ_t du x
 *
 * and dS_{−1} = a_0 G_0; the last G also receives `dState`.
 */
export function selectiveScanGrad(input: SelectiveScanInput, dy: Real, dState?: Real): SelectiveScanGradients {
  const { batch, L, E, N, x, A, B, C, D, z } = input;
  const grads = {
    x: new Float64Array(batch * L * E),
    delta: new Float64Array(batch * L * E),
    A: new Float64Array(E * N),
    B: new Float64Array(batch * L * N),
    C: new Float64Array(batch * L * N),
    D: D ? new Float64Array(E) : undefined,
    z: z ? new Float64Array(batch * L * E) : undefined,
    state: input.state ? new Float64Array(batch * E * N) : undefined,
  };
  /** states[t+1] is S_t; row 0 is the state before the first token. */
  const states = new Float64Array((L + 1) * N);
  const G = new Float64Array(N);
  for (let b = 0; b < batch; b++) {
    for (let e = 0; e < E; e++) {
      const own = (b * E + e) * N;
      for (let n = 0; n < N; n++) {
        states[n] = input.state ? input.state[own + n] : 0;
        G[n] = dState ? dState[own + n] : 0;
      }
      for (let t = 0; t < L; t++) {
        const row = b * L + t;
        const at = row * E + e;
        const step = input.softplus ? softplus(input.delta[at]) : input.delta[at];
        for (let n = 0; n < N; n++) {
          const decay = Math.exp(step * A[e * N + n]);
          states[(t + 1) * N + n] = decay * states[t * N + n] + step * B[row * N + n] * x[at];
        }
      }
      for (let t = L - 1; t >= 0; t--) {
        const row = b * L + t;
        const at = row * E + e;
        const raw = input.delta[at];
        const step = input.softplus ? softplus(raw) : raw;
        const du = z ? dy[at] * siluOf(z[at]) : dy[at];
        let u = D ? D[e] * x[at] : 0;
        let dx = D ? D[e] * du : 0;
        let dstep = 0;
        for (let n = 0; n < N; n++) {
          const decay = Math.exp(step * A[e * N + n]);
          const before = states[t * N + n];
          const after = states[(t + 1) * N + n];
          u += C[row * N + n] * after;
          G[n] += C[row * N + n] * du;
          dx += step * B[row * N + n] * G[n];
          dstep += G[n] * (A[e * N + n] * decay * before + B[row * N + n] * x[at]);
          grads.A[e * N + n] += step * decay * before * G[n];
          grads.B[row * N + n] += step * x[at] * G[n];
          grads.C[row * N + n] += du * after;
          G[n] *= decay;
        }
        grads.x[at] = dx;
        grads.delta[at] = input.softplus ? dstep * sigmoid(raw) : dstep;
        if (grads.D) grads.D[e] += du * x[at];
        if (grads.z && z) grads.z[at] = dy[at] * u * siluSlope(z[at]);
      }
      grads.state?.set(G, own);
    }
  }
  return grads;
}
