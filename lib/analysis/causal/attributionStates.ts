import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Captured } from './continuation';

/** What a scan read of one prompt. */
export interface ScanRun {
  readonly x: Captured;
  readonly delta: Captured;
  readonly A: Captured;
  readonly B: Captured;
  readonly C: Captured;
}

/** A run that a gradient is of: its Δ, A and C carry it. */
export interface ScanGradient {
  readonly along: ScanRun;
  /** ∂m/∂y [L,E] */
  readonly gradient: Float32Array;
}

/** First-order change of the measure by replacing the state after every token. */
export interface StateAttribution {
  /** Through what token t itself reads of its state, [L]. */
  readonly now: Float64Array;
  /** Through what every later token reads, [L]. */
  readonly later: Float64Array;
}

/**
 * ⟨S_source − S_own, ∂m/∂S⟩ of the state after every token, the mean over several gradients. Behind the state a scan is linear, so the
 * gradient of y alone tells that of every state:
 *
 *     ∂m/∂S_t = C_t ∂m/∂y_t + Ā_{t+1} ∂m/∂S_{t+1}
 *
 * the first term is `now`, the second `later`. Both runs' states are made once, channel by channel in float64, from what they read.
 *
 * Cost: about 4 L·E·N operations and 4 a gradient, and of Mamba-1 the exponentials of both runs' decays, L·E·N each; a gradient along the own run needs no
 * further ones. Memory: 4 N values a token.
 * @param counterpart place of every token in the source's prompt, or −1
 */
export function stateAttribution(
  { source, own, along }: { readonly source: ScanRun; readonly own: ScanRun; readonly along: readonly ScanGradient[] },
  counterpart: Int32Array,
  mixer: MixerConfig,
): StateAttribution {
  const { E, N, G } = mixer;
  const L = counterpart.length;
  const longest = source.x.shape[1];
  const [theirs, gaps] = [new Float64Array(longest * N), new Float64Array(L * N)];
  const decays = new Float64Array(Math.max(L, longest) * N);
  const running = new Float64Array(N);
  const [now, later] = [new Float64Array(L), new Float64Array(L)];
  const groups = Math.max(1, G);
  const [ofSource, ofOwn] = [decaysOf(source, mixer), decaysOf(own, mixer)];
  const ofAlong = along.map((each) => (each.along === own ? undefined : decaysOf(each.along, mixer)));
  for (let e = 0; e < E; e++) {
    const group = Math.floor((e * groups) / E) * N;
    ofSource(e, longest, decays);
    statesOf(source, mixer, e, longest, decays, theirs);
    ofOwn(e, L, decays);
    statesOf(own, mixer, e, L, decays, gaps);
    for (let t = 0; t < L; t++) {
      const [to, from] = [t * N, counterpart[t] * N];
      for (let n = 0; n < N; n++) gaps[to + n] = from < 0 ? 0 : theirs[from + n] - gaps[to + n];
    }
    for (let k = 0; k < along.length; k++) {
      const C = along[k].along.C.data;
      const gradient = along[k].gradient;
      // One's own decays are still there, since the first gradient along another run is what replaces them.
      if (ofAlong[k]) ofAlong[k]?.(e, L, decays);
      else if (k > 0) ofOwn(e, L, decays);
      // `running` is what later tokens make of the state after token t.
      running.fill(0);
      for (let t = L - 1; t >= 0; t--) {
        const g = gradient[t * E + e];
        const c = t * groups * N + group;
        const at = t * N;
        let here = 0;
        let after = 0;
        for (let n = 0; n < N; n++) {
          const read = C[c + n] * g;
          here += gaps[at + n] * read;
          after += gaps[at + n] * running[n];
          running[n] = decays[at + n] * (running[n] + read);
        }
        now[t] += here;
        later[t] += after;
      }
    }
  }
  const mean = (sums: Float64Array) => sums.map((sum) => sum / along.length);
  return { now: mean(now), later: mean(later) };
}

/** Writes exp(Δ A) of a channel, [L,N]: Mamba-1 has Δ by channel and A by channel and state, Mamba-2 both by head, all of whose states share one. */
function decaysOf({ delta, A }: ScanRun, { E, N, H, P }: MixerConfig) {
  const [steps, rates] = [delta.data, A.data];
  const shared = H > 0 ? Float64Array.from(steps, (each, k) => Math.exp(each * rates[k % H])) : undefined;
  return (e: number, L: number, into: Float64Array): void => {
    if (shared) {
      const head = Math.floor(e / P);
      for (let t = 0; t < L; t++) into.fill(shared[t * H + head], t * N, (t + 1) * N);
      return;
    }
    for (let t = 0; t < L; t++) {
      const step = steps[t * E + e];
      for (let n = 0; n < N; n++) into[t * N + n] = Math.exp(step * rates[e * N + n]);
    }
  };
}

/** Writes the states of a channel after every token, [L,N]. */
function statesOf(
  { x, delta, B }: ScanRun,
  { E, N, H, P, G }: MixerConfig,
  e: number,
  L: number,
  decays: Float64Array,
  into: Float64Array,
): void {
  const [inputs, steps, writes] = [x.data, delta.data, B.data];
  const [units, unit] = H > 0 ? [H, Math.floor(e / P)] : [E, e];
  const groups = Math.max(1, G);
  const group = Math.floor((e * groups) / E) * N;
  for (let t = 0; t < L; t++) {
    const written = steps[t * units + unit] * inputs[t * E + e];
    const b = t * groups * N + group;
    const [at, before] = [t * N, (t - 1) * N];
    for (let n = 0; n < N; n++)
      into[at + n] = (t > 0 ? decays[at + n] * into[before + n] : 0) + written * writes[b + n];
  }
}
