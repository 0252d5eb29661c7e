import type {
  BlockFold,
  CausalConv1dInput,
  RmsNormInput,
  S6AttentionInput,
  SelectiveScanInput,
  SsdAttentionInput,
  SsdScanInput,
} from '.';
import { Random } from './random';

/** Random inputs for tests, as float64 arrays whose values float32 holds exactly. */
const f32 = (values: Float64Array): Float64Array => values.map(Math.fround);

interface ScanCase {
  readonly batch: number;
  readonly L: number;
  readonly E: number;
  readonly N: number;
  readonly D?: boolean;
  readonly z?: boolean;
  readonly softplus?: boolean;
  /** From a state, not from 0. */
  readonly initial?: boolean;
  /** The last state is asked for. */
  readonly final?: boolean;
  /** Δ from 1e-4 to 75 (without `softplus`): decays of a step from nearly nothing to all. */
  readonly extreme?: boolean;
}

/** Shapes that are awkward for tiles, vectors and thread splits. */
export const SCAN_CASES: readonly ScanCase[] = [
  { batch: 1, L: 1, E: 1, N: 1 },
  { batch: 1, L: 1, E: 3, N: 16, D: true, z: true, softplus: true },
  { batch: 2, L: 5, E: 4, N: 3, D: true },
  { batch: 1, L: 17, E: 7, N: 16, z: true, softplus: true },
  { batch: 3, L: 6, E: 2, N: 5, D: true, z: true, softplus: true },
  { batch: 2, L: 1, E: 5, N: 3, D: true, z: true, softplus: true, initial: true, final: true },
  { batch: 1, L: 18, E: 3, N: 4, final: true },
  { batch: 2, L: 3, E: 2, N: 2, z: true, initial: true },
];

export function scanInput(c: ScanCase, seed = 1): SelectiveScanInput {
  const random = new Random(seed);
  const { batch, L, E, N } = c;
  return {
    batch,
    L,
    E,
    N,
    x: f32(random.normal(batch * L * E)),
    delta: f32(c.softplus ? random.normal(batch * L * E) : timeSteps(random, batch * L * E, c.extreme)),
    A: f32(random.uniform(E * N, -4, -0.1)),
    B: f32(random.normal(batch * L * N)),
    C: f32(random.normal(batch * L * N)),
    D: c.D ? f32(random.normal(E)) : undefined,
    z: c.z ? f32(random.normal(batch * L * E)) : undefined,
    state: c.initial ? f32(random.normal(batch * E * N)) : undefined,
    softplus: c.softplus ?? false,
  };
}

/** Δ uniform in [0.01,1), or log-uniform over all that a step may be. */
function timeSteps(random: Random, size: number, extreme = false): Float64Array {
  return extreme ? random.uniform(size, Math.log(1e-4), Math.log(75)).map(Math.exp) : random.uniform(size, 0.01, 1);
}

interface SsdCase {
  readonly batch: number;
  readonly L: number;
  readonly H: number;
  readonly P: number;
  readonly G: number;
  readonly N: number;
  readonly D?: boolean;
  /** From a state, not from 0. */
  readonly initial?: boolean;
  /** The last state is asked for. */
  readonly final?: boolean;
  readonly extreme?: boolean;
}

export const SSD_CASES: readonly SsdCase[] = [
  { batch: 1, L: 1, H: 1, P: 1, G: 1, N: 1 },
  { batch: 2, L: 5, H: 2, P: 3, G: 1, N: 4, D: true },
  { batch: 1, L: 9, H: 4, P: 2, G: 2, N: 3, D: true },
  { batch: 1, L: 7, H: 6, P: 5, G: 3, N: 2 },
  { batch: 2, L: 1, H: 4, P: 3, G: 2, N: 5, D: true, initial: true, final: true },
  { batch: 1, L: 6, H: 2, P: 2, G: 1, N: 3, final: true },
  { batch: 2, L: 3, H: 2, P: 3, G: 2, N: 4, initial: true },
];

export function ssdInput(c: SsdCase, seed = 1): SsdScanInput {
  const random = new Random(seed);
  const { batch, L, H, P, G, N } = c;
  return {
    batch,
    L,
    H,
    P,
    G,
    N,
    x: f32(random.normal(batch * L * H * P)),
    delta: f32(timeSteps(random, batch * L * H, c.extreme)),
    A: f32(random.uniform(H, -4, -0.1)),
    B: f32(random.normal(batch * L * G * N)),
    C: f32(random.normal(batch * L * G * N)),
    D: c.D ? f32(random.normal(H)) : undefined,
    state: c.initial ? f32(random.normal(batch * H * P * N)) : undefined,
  };
}

interface ConvCase {
  readonly batch: number;
  readonly L: number;
  readonly E: number;
  readonly K: number;
  readonly bias?: boolean;
  readonly silu?: boolean;
}

export const CONV_CASES: readonly ConvCase[] = [
  { batch: 1, L: 1, E: 1, K: 4, bias: true, silu: true },
  { batch: 2, L: 3, E: 5, K: 4, silu: true },
  { batch: 2, L: 9, E: 3, K: 4, bias: true },
  { batch: 1, L: 7, E: 9, K: 3, bias: true, silu: true },
  { batch: 1, L: 4, E: 2, K: 1 },
];

export function convInput(c: ConvCase, seed = 1): CausalConv1dInput {
  const random = new Random(seed);
  const { batch, L, E, K } = c;
  return {
    batch,
    L,
    E,
    K,
    x: f32(random.normal(batch * L * E)),
    weight: f32(random.normal(E * K)),
    bias: c.bias ? f32(random.normal(E)) : undefined,
    silu: c.silu ?? false,
  };
}

interface NormCase {
  readonly rows: number;
  readonly E: number;
  readonly groups?: number;
  readonly gate?: boolean;
}

export const NORM_CASES: readonly NormCase[] = [
  { rows: 1, E: 2 },
  { rows: 3, E: 7 },
  { rows: 2, E: 12, groups: 3, gate: true },
  { rows: 4, E: 10, gate: true },
  { rows: 5, E: 6, groups: 2 },
];

export function normInput(c: NormCase, seed = 1): RmsNormInput {
  const random = new Random(seed);
  const { rows, E } = c;
  return {
    rows,
    E,
    groups: c.groups ?? 1,
    epsilon: 1e-2,
    x: f32(random.normal(rows * E)),
    weight: f32(random.normal(E)),
    gate: c.gate ? f32(random.normal(rows * E)) : undefined,
  };
}

export function lossInput(rows: number, V: number, seed = 1) {
  const random = new Random(seed);
  const labels = Int32Array.from({ length: rows }, () => Math.floor(random.next() * (V + 1)) - 1);
  return { rows, V, logits: f32(random.normal(rows * V, 3)), labels };
}

export function s6AttentionInput(L: number, E: number, N: number, seed = 1): S6AttentionInput {
  const { delta, A, B, C } = scanInput({ batch: 1, L, E, N }, seed);
  return { L, E, N, delta, A, B, C };
}

export function ssdAttentionInput(L: number, H: number, G: number, N: number, seed = 1): SsdAttentionInput {
  const { delta, A, B, C } = ssdInput({ batch: 1, L, H, P: 1, G, N }, seed);
  return { L, H, G, N, delta, A, B, C };
}

/** What is folded around E channels; `skips` values of D (one per channel or head), none where 0. */
export function blockFold(L: number, E: number, K: number, skips: number, weighted: boolean, seed = 2): BlockFold {
  const random = new Random(seed);
  return {
    E,
    K,
    source: f32(random.uniform(L * E, 0, 1)),
    taps: f32(random.normal(E * K)),
    target: f32(random.normal(L * E)),
    D: skips > 0 ? f32(random.normal(skips)) : undefined,
    weight: weighted ? f32(random.normal(L * E)) : undefined,
  };
}
