import type { Real } from './real';

/** Row-major arrays of one SSD scan; shapes in brackets. */
export interface SsdScanInput {
  readonly batch: number;
  readonly L: number;
  readonly H: number;
  readonly P: number;
  readonly G: number;
  readonly N: number;
  /** [B,L,H,P] */
  readonly x: Real;
  /** [B,L,H], after softplus and clamp. */
  readonly delta: Real;
  /** [H], negative. */
  readonly A: Real;
  /** [B,L,G,N] */
  readonly B: Real;
  /** [B,L,G,N] */
  readonly C: Real;
  /** [H] */
  readonly D?: Real;
  /** [B,H,P,N], the state before the first token; 0 where absent. */
  readonly state?: Real;
}

export interface SsdScanGradients {
  readonly x: Float64Array;
  readonly delta: Float64Array;
  readonly A: Float64Array;
  readonly B: Float64Array;
  readonly C: Float64Array;
  readonly D?: Float64Array;
  readonly state?: Float64Array;
}

/**
 * The SSD recurrence of Mamba-2 (equations A2, step 4), per head h of group g = floor(h/(H/G)):
 *
 *     S_t[p,n] = exp(Δ_t A_h) S_{t−1}[p,n] + Δ_t B_t[g,n] x_t[p],   S_{−1} = `state` or 0
 *     y_t[p] = Σ_n C_t[g,n] S_t[p,n] + D_h x_t[p]
 *
 * Returns y [B,L,H,P] and the last state [B,H,P,N]. Cost O(B·L·H·P·N).
 */
export function ssdScanWithState(input: SsdScanInput): { y: Float64Array; state: Float64Array } {
  const { batch, L, H, P, N, x, delta, A, B, C, D } = input;
  const y = new Float64Array(batch * L * H * P);
  const states = input.state ? Float64Array.from(input.state) : new Float64Array(batch * H * P * N);
  forEachRow(input, (b, h, g, p) => {
    const row = (b * H + h) * P + p;
    const state = states.subarray(row * N, (row + 1) * N);
    for (let t = 0; t < L; t++) {
      const at = ((b * L + t) * H + h) * P + p;
      const step = delta[(b * L + t) * H + h];
      const decay = Math.exp(step * A[h]);
      const bc = ((b * L + t) * input.G + g) * N;
      let sum = D ? D[h] * x[at] : 0;
      for (let n = 0; n < N; n++) {
        state[n] = decay * state[n] + step * B[bc + n] * x[at];
        sum += C[bc + n] * state[n];
      }
      y[at] = sum;
    }
  });
  return { y, state: states };
}

/** y of {@link ssdScanWithState}. */
export function ssdScan(input: SsdScanInput): Float64Array {
  return ssdScanWithState(input).y;
}

/**
 * Gradients of {@link ssdScanWithState} for `dy` [B,L,H,P] and `dState` [B,H,P,N] of the last state (0 where absent). With a_t = exp(Δ_t A_h) and W_t = ∂loss/∂S_t:
 *
 *     W_t = C_t dy_t + a_{t+1} W_{t+1}
 *     dx = D dy + Δ Σ_n B W,   dΔ = Σ_{p,n} W (A a S_{t−1} + B x),   dA = Σ_{t,p,n} Δ a S_{t−1} W
 *     dB = Σ_{h in g, p} Δ x W,   dC = Σ_{h in g, p} dy S_t,   dD = Σ_{t,p} dy x
 *
 * and dS_{−1} = a_0 W_0; the last W also receives `dState`.
 */
export function ssdScanGrad(input: SsdScanInput, dy: Real, dState?: Real): SsdScanGradients {
  const { batch, L, H, P, N, x, delta, A, B, C, D } = input;
  const grads = {
    x: new Float64Array(batch * L * H * P),
    delta: new Float64Array(batch * L * H),
    A: new Float64Array(H),
    B: new Float64Array(B.length),
    C: new Float64Array(C.length),
    D: D ? new Float64Array(H) : undefined,
    state: input.state ? new Float64Array(batch * H * P * N) : undefined,
  };
  /** states[t+1] is S_t; row 0 is the state before the first token. */
  const states = new Float64Array((L + 1) * N);
  const W = new Float64Array(N);
  forEachRow(input, (b, h, g, p) => {
    const own = ((b * H + h) * P + p) * N;
    for (let n = 0; n < N; n++) {
      states[n] = input.state ? input.state[own + n] : 0;
      W[n] = dState ? dState[own + n] : 0;
    }
    for (let t = 0; t < L; t++) {
      const step = delta[(b * L + t) * H + h];
      const decay = Math.exp(step * A[h]);
      const scaled = step * x[((b * L + t) * H + h) * P + p];
      const bc = ((b * L + t) * input.G + g) * N;
      for (let n = 0; n < N; n++) states[(t + 1) * N + n] = decay * states[t * N + n] + scaled * B[bc + n];
    }
    for (let t = L - 1; t >= 0; t--) {
      const head = (b * L + t) * H + h;
      const at = head * P + p;
      const step = delta[head];
      const decay = Math.exp(step * A[h]);
      const bc = ((b * L + t) * input.G + g) * N;
      let dx = D ? D[h] * dy[at] : 0;
      for (let n = 0; n < N; n++) {
        const before = states[t * N + n];
        W[n] += C[bc + n] * dy[at];
        dx += step * B[bc + n] * W[n];
        grads.delta[head] += W[n] * (A[h] * decay * before + B[bc + n] * x[at]);
        grads.A[h] += step * decay * before * W[n];
        grads.B[bc + n] += step * x[at] * W[n];
        grads.C[bc + n] += dy[at] * states[(t + 1) * N + n];
        W[n] *= decay;
      }
      grads.x[at] = dx;
      if (grads.D) grads.D[h] += dy[at] * x[at];
    }
    grads.state?.set(W, own);
  });
  return grads;
}

function forEachRow(
  { batch, H, P, G }: SsdScanInput,
  visit: (b: number, h: number, g: number, p: number) => void,
): void {
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < H; h++) {
      for (let p = 0; p < P; p++) visit(b, h, Math.floor(h / (H / G)), p);
    }
  }
}
