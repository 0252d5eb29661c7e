import { type Real, siluOf, siluSlope } from './real';

/** Row-major arrays of one depthwise causal convolution; shapes in brackets. */
export interface CausalConv1dInput {
  readonly batch: number;
  readonly L: number;
  readonly E: number;
  readonly K: number;
  /** [B,L,E] */
  readonly x: Real;
  /** [E,1,K]; the last tap multiplies the current token. */
  readonly weight: Real;
  /** [E] */
  readonly bias?: Real;
  readonly silu: boolean;
}

export interface CausalConv1dGradients {
  readonly x: Float64Array;
  readonly weight: Float64Array;
  readonly bias?: Float64Array;
}

/**
 * Depthwise causal convolution with zero left padding (equations A1, step 2):
 *
 *     c_t[e] = bias[e] + Σ_k weight[e,0,k] · x_{t−K+1+k}[e],   y = SiLU(c) where `silu` is set.
 *
 * Returns y [B,L,E]. Cost O(B·L·E·K).
 */
export function causalConv1d(input: CausalConv1dInput): Float64Array {
  const c = preactivation(input);
  return input.silu ? c.map(siluOf) : c;
}

/**
 * Gradients of {@link causalConv1d} for `dy` [B,L,E]. With dc = dy · SiLU'(c):
 *
 *     dx_s = Σ_k weight[k] · dc_{s+K−1−k},   dweight[k] = Σ_{b,t} dc_t · x_{t−K+1+k},   dbias = Σ_{b,t} dc_t
 */
export function causalConv1dGrad(input: CausalConv1dInput, dy: Real): CausalConv1dGradients {
  const { batch, L, E, K, x, weight } = input;
  const c = input.silu ? preactivation(input) : undefined;
  const grads = {
    x: new Float64Array(batch * L * E),
    weight: new Float64Array(E * K),
    bias: input.bias ? new Float64Array(E) : undefined,
  };
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < L; t++) {
      for (let e = 0; e < E; e++) {
        const at = (b * L + t) * E + e;
        const dc = c ? dy[at] * siluSlope(c[at]) : dy[at];
        for (let k = 0; k < K; k++) {
          const source = t - K + 1 + k;
          if (source < 0) continue;
          const from = (b * L + source) * E + e;
          grads.x[from] += weight[e * K + k] * dc;
          grads.weight[e * K + k] += dc * x[from];
        }
        if (grads.bias) grads.bias[e] += dc;
      }
    }
  }
  return grads;
}

function preactivation({ batch, L, E, K, x, weight, bias }: CausalConv1dInput): Float64Array {
  const c = new Float64Array(batch * L * E);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < L; t++) {
      for (let e = 0; e < E; e++) {
        let sum = bias ? bias[e] : 0;
        for (let k = 0; k < K; k++) {
          const source = t - K + 1 + k;
          if (source >= 0) sum += weight[e * K + k] * x[(b * L + source) * E + e];
        }
        c[(b * L + t) * E + e] = sum;
      }
    }
  }
  return c;
}
