import { TOKEN_TRACKS, type TokenTrack } from '@/lib/vocabulary';
import { requireIndex } from './s6Attention';
import type { S6Inputs } from './s6Inputs';

/** What a channel (S6) or head (SSD), or all of a scan, does at each token, [L] each. */
export interface TokenTracks extends Readonly<Record<TokenTrack, Float32Array>> {
  /** Δ: how far the token moves the state. */
  readonly delta: Float32Array;
  /** exp(Δ A), mean over states: what the token leaves of the past. */
  readonly decay: Float32Array;
  /** ln 2 / (Δ · min_n |A_n|): tokens after which the slowest state has halved, if all tokens had this Δ. */
  readonly half_life: Float32Array;
  /** SiLU(z), mean over the unit's channels. */
  readonly gate: Float32Array;
  /** ‖h_t‖₂ of the unit's state after the token. */
  readonly state_norm: Float32Array;
}

/**
 * Tracks of one unit, or of all of a scan: then Δ, decay and gate are means over units, half-life is their geometric mean
 * (one unit that forgets nothing would swamp an arithmetic one), and the norm is the root mean square over units.
 * Cost: one pass of the recurrence in plain float64 with an exponential for each Δ A: L·E·N of them for S6, L·H for SSD.
 * @param unit index of a channel or head, or `mean`
 * @throws InputError where there is no such unit.
 */
export function tokenTracks(inputs: S6Inputs, unit: number | 'mean'): TokenTracks {
  const units = inputs.family === 'mamba1' ? inputs.E : inputs.H;
  if (unit !== 'mean') requireIndex(inputs.family === 'mamba1' ? 'channel' : 'head', unit, units);
  const [first, last] = unit === 'mean' ? [0, units] : [unit, unit + 1];
  const { L } = inputs;
  const tracks = Object.fromEntries(TOKEN_TRACKS.map((name) => [name, new Float64Array(L)])) as Record<
    TokenTrack,
    Float64Array
  >;
  for (let u = first; u < last; u++) addUnit(inputs, u, units, tracks);
  const count = last - first;
  const mean = (values: Float64Array, each = (value: number) => value) =>
    Float32Array.from(values, (value) => each(value / count));
  return {
    delta: mean(tracks.delta),
    decay: mean(tracks.decay),
    half_life: mean(tracks.half_life, Math.exp),
    gate: mean(tracks.gate),
    state_norm: mean(tracks.state_norm, Math.sqrt),
  };
}

const silu = (z: number): number => z / (1 + Math.exp(-z));

/** Adds Δ, mean decay, ln half-life, mean gate and ‖h‖² of one unit at every token. */
function addUnit(inputs: S6Inputs, u: number, units: number, tracks: Record<TokenTrack, Float64Array>): void {
  const { L, E, N, A, B, delta, x, z } = inputs;
  const rates = A.subarray((u * A.length) / units, ((u + 1) * A.length) / units);
  const slowest = rates.reduce((least, rate) => Math.min(least, -rate), Number.POSITIVE_INFINITY);
  const width = E / units;
  const groups = inputs.family === 'mamba1' ? 1 : inputs.G;
  const group = Math.floor((u * groups) / units);
  const state = new Float64Array(width * N);
  const decays = new Float64Array(rates.length);
  for (let t = 0; t < L; t++) {
    const step = delta[t * units + u];
    let decay = 0;
    rates.forEach((rate, n) => {
      decays[n] = Math.exp(step * rate);
      decay += decays[n];
    });
    let gate = 0;
    let energy = 0;
    for (let p = 0; p < width; p++) {
      const e = u * width + p;
      gate += silu(z[t * E + e]);
      const input = step * x[t * E + e];
      for (let n = 0; n < N; n++) {
        const h = decays[decays.length === 1 ? 0 : n] * state[p * N + n] + input * B[(t * groups + group) * N + n];
        state[p * N + n] = h;
        energy += h * h;
      }
    }
    tracks.delta[t] += step;
    tracks.decay[t] += decay / decays.length;
    tracks.half_life[t] += Math.log(Math.LN2 / (step * slowest));
    tracks.gate[t] += gate / width;
    tracks.state_norm[t] += energy;
  }
}
