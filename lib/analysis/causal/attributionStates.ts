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

/** First-order change of the measure by replacing the state after every token. */
export interface StateAttribution {
  /** Through what token t itself reads of its state, [L]. */
  readonly now: Float64Array;
  /** Through what every later token reads, [L]. */
  readonly later: Float64Array;
}

/**
 * ⟨S_source − S_own, ∂m/∂S⟩ of the state after every token. Behind the state a scan is linear, so the gradient of y alone tells that
 * of every state:
 *
 *     ∂m/∂S_t = C_t ∂m/∂y_t + Ā_{t+1} ∂m/∂S_{t+1}
 *
 * the first term is `now`, the second `later`. Both runs' states are made channel by channel in float64 from what they read.
 *
 * Cost: about 8 L·E·N operations, and the exponentials of both runs' decays (L·E·N of Mamba-1, L·H of Mamba-2). Memory: N states a token.
 * @param gradient ∂m/∂y [L,E] @param along the run that the gradient is of, whose Δ, A and C carry it
 * @param counterpart place of every token in the source's prompt, or −1
 */
export function stateAttribution(
  { source, own, along }: Readonly<Record<'source' | 'own' | 'along', ScanRun>>,
  gradient: Float32Array,
  counterpart: Int32Array,
  mixer: MixerConfig,
): StateAttribution {
  const { E, N } = mixer;
  const L = counterpart.length;
  const [from, to, back] = [readerOf(source, mixer), readerOf(own, mixer), readerOf(along, mixer)];
  const longest = source.x.shape[1];
  const states = new Float64Array(longest * N);
  const gaps = new Float64Array(L * N);
  const [now, later] = [new Float64Array(L), new Float64Array(L)];
  const running = new Float64Array(N);
  for (let e = 0; e < E; e++) {
    from.run(e, longest, running, (t) => states.set(running, t * N));
    to.run(e, L, running, (t) => {
      const place = counterpart[t];
      for (let n = 0; n < N; n++) gaps[t * N + n] = place < 0 ? 0 : states[place * N + n] - running[n];
    });
    // `running` is now what later tokens make of the state after token t.
    running.fill(0);
    for (let t = L - 1; t >= 0; t--) {
      const g = gradient[t * E + e];
      const c = back.at(t, e);
      let [here, after] = [0, 0];
      for (let n = 0; n < N; n++) {
        here += gaps[t * N + n] * back.C[c + n];
        after += gaps[t * N + n] * running[n];
      }
      now[t] += here * g;
      later[t] += after;
      for (let n = 0; n < N; n++) running[n] = back.decay(t, e, n) * (running[n] + back.C[c + n] * g);
    }
  }
  return { now, later };
}

/** Channel by channel access to what a scan read: Mamba-1 has Δ by channel and A by channel and state, Mamba-2 both by head. */
function readerOf({ x, delta, A, B, C }: ScanRun, { E, N, H, P, G }: MixerConfig) {
  const groups = Math.max(1, G);
  const width = H > 0 ? P : 1;
  const units = E / width;
  const step = (t: number, e: number) => delta.data[t * units + Math.floor(e / width)];
  // One decay a head is worth keeping: all of its states share it.
  const shared = H > 0 ? Float64Array.from(delta.data, (each, k) => Math.exp(each * A.data[k % H])) : undefined;
  const decay = (t: number, e: number, n: number) =>
    shared ? shared[t * H + Math.floor(e / P)] : Math.exp(step(t, e) * A.data[e * N + n]);
  const at = (t: number, e: number) => (t * groups + Math.floor((e * groups) / E)) * N;
  return {
    C: C.data,
    at,
    decay,
    /** The states of channel e after every token, told one by one in `state` [N]. */
    run(e: number, L: number, state: Float64Array, tell: (t: number) => void): void {
      state.fill(0);
      for (let t = 0; t < L; t++) {
        const written = step(t, e) * x.data[t * E + e];
        const b = at(t, e);
        for (let n = 0; n < N; n++) state[n] = decay(t, e, n) * state[n] + written * B.data[b + n];
        tell(t);
      }
    },
  };
}
