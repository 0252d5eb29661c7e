import { causalConv1d } from './causal-conv1d';
import { type Real, softplus } from './real';
import { rmsNorm } from './rms-norm';
import { selectiveScanWithState } from './selective-scan';
import { ssdScanWithState } from './ssd-scan';

/** y = W x + b: weight [out,in], bias [out] or none. */
export interface ReferenceProjection {
  readonly weight: Real;
  readonly bias?: Real;
}

interface MixerStepInput {
  readonly rows: number;
  readonly d: number;
  readonly E: number;
  readonly N: number;
  readonly K: number;
  /** [rows,d] */
  readonly u: Real;
  readonly inProj: ReferenceProjection;
  readonly convWeight: Real;
  readonly convBias?: Real;
  readonly A_log: Real;
  readonly D: Real;
  /** With the norm [d] of the block around the mixer: u + mixer(RMS(u; norm)) in place of the mixer alone. */
  readonly block?: { readonly norm: Real; readonly epsilon: number };
  /** Inputs of the convolution before this token [rows,K−1,channels]; 0 where absent. */
  readonly past?: Real;
  /** State before this token; 0 where absent. */
  readonly state?: Real;
}

/** One token of a Mamba-1 mixer; E channels go through the convolution, the state is [rows,E,N]. */
export interface Mamba1StepInput extends MixerStepInput {
  readonly R: number;
  readonly xProj: ReferenceProjection;
  readonly dtProj: ReferenceProjection;
  readonly outProj: ReferenceProjection;
}

/** One token of a Mamba-2 mixer; E + 2GN channels go through the convolution, the state is [rows,H,P,N]. */
export interface Mamba2StepInput extends MixerStepInput {
  readonly H: number;
  readonly G: number;
  readonly dtBias: Real;
  readonly norm: Real;
  readonly timeStepLimit: readonly [number, number];
  readonly epsilon: number;
  /** Absent: the result is the gated norm [rows,E]. */
  readonly outProj?: ReferenceProjection;
}

export interface MixerStepOutput {
  readonly y: Float64Array;
  readonly past: Float64Array;
  readonly state: Float64Array;
}

/** Spec A1 for one token: what the operations of the mixer (and of its block) give one after the other. */
export function mamba1Step(input: Mamba1StepInput): MixerStepOutput {
  return inBlock(input, mamba1Mixer);
}

/** Spec A2 for one token, with or without the output projection. */
export function mamba2Step(input: Mamba2StepInput): MixerStepOutput {
  return inBlock(input, mamba2Mixer);
}

function inBlock<Input extends MixerStepInput>(
  input: Input,
  mixer: (input: Input) => MixerStepOutput,
): MixerStepOutput {
  const { block, u, rows, d } = input;
  if (!block) return mixer(input);
  const normed = rmsNorm({ rows, E: d, groups: 1, epsilon: block.epsilon, x: u, weight: block.norm });
  const output = mixer({ ...input, u: normed });
  return { ...output, y: output.y.map((value, i) => value + u[i]) };
}

function mamba1Mixer(input: Mamba1StepInput): MixerStepOutput {
  const { rows, E, N, R } = input;
  const xz = project(input.u, rows, input.inProj);
  const [x0, z] = columns(xz, rows, [E, E]);
  const { y: x, past } = convolve(x0, E, input);
  const [delta, B, C] = columns(project(x, rows, input.xProj), rows, [R, N, N]);
  const A = Float64Array.from(input.A_log, (value) => -Math.exp(value));
  const scan = { batch: rows, L: 1, E, N, x, A, B, C, D: input.D, z, state: input.state, softplus: true };
  const { y, state } = selectiveScanWithState({ ...scan, delta: project(delta, rows, input.dtProj) });
  return { y: project(y, rows, input.outProj), past, state };
}

function mamba2Mixer(input: Mamba2StepInput): MixerStepOutput {
  const { rows, E, N, H, G, epsilon, dtBias } = input;
  const [low, high] = input.timeStepLimit;
  const channels = E + 2 * G * N;
  const [z, xBC0, dt] = columns(project(input.u, rows, input.inProj), rows, [E, channels, H]);
  const { y: xBC, past } = convolve(xBC0, channels, input);
  const [x, B, C] = columns(xBC, rows, [E, G * N, G * N]);
  const delta = dt.map((value, i) => Math.min(high, Math.max(low, softplus(value + dtBias[i % H]))));
  const A = Float64Array.from(input.A_log, (value) => -Math.exp(value));
  const scan = { batch: rows, L: 1, H, P: E / H, G, N, x, delta, A, B, C, D: input.D, state: input.state };
  const { y, state } = ssdScanWithState(scan);
  const g = rmsNorm({ rows, E, groups: G, epsilon, x: y, weight: input.norm, gate: z });
  return { y: input.outProj ? project(g, rows, input.outProj) : g, past, state };
}

/** [rows,in] → [rows,out] */
function project(x: Real, rows: number, { weight, bias }: ReferenceProjection): Float64Array {
  const K = x.length / rows;
  const N = weight.length / K;
  return Float64Array.from({ length: rows * N }, (_, i) => {
    const [row, n] = [Math.floor(i / N), i % N];
    let sum = bias ? bias[n] : 0;
    for (let k = 0; k < K; k++) sum += weight[n * K + k] * x[row * K + k];
    return sum;
  });
}

/** [rows,sum] cut into parts of the given widths. */
function columns(x: Float64Array, rows: number, widths: readonly number[]): Float64Array[] {
  const stride = x.length / rows;
  let first = 0;
  return widths.map((width) => {
    const start = first;
    first += width;
    return Float64Array.from(
      { length: rows * width },
      (_, i) => x[Math.floor(i / width) * stride + start + (i % width)],
    );
  });
}

/** SiLU(conv) of one token a row, and the K−1 inputs that the next one needs. */
function convolve(x: Float64Array, channels: number, { rows, K, convWeight, convBias, past }: MixerStepInput) {
  const window = new Float64Array(rows * K * channels);
  for (let row = 0; row < rows; row++) {
    const before = past?.subarray(row * (K - 1) * channels, (row + 1) * (K - 1) * channels);
    if (before) window.set(before, row * K * channels);
    window.set(x.subarray(row * channels, (row + 1) * channels), (row * K + K - 1) * channels);
  }
  const conv = { batch: rows, L: K, E: channels, K, x: window, weight: convWeight, bias: convBias, silu: true };
  const y = causalConv1d(conv);
  const lastOf = (values: Float64Array, count: number) =>
    Float64Array.from({ length: rows * count * channels }, (_, i) => {
      const [row, rest] = [Math.floor(i / (count * channels)), i % (count * channels)];
      return values[(row * K + K - count) * channels + rest];
    });
  return { y: lastOf(y, 1), past: lastOf(window, K - 1) };
}
