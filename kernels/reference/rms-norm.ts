import { type Real, siluOf, siluSlope } from './real';

/** Row-major arrays of one RMS normalisation; shapes in brackets. */
export interface RmsNormInput {
  readonly rows: number;
  readonly E: number;
  readonly groups: number;
  readonly epsilon: number;
  /** [rows,E] */
  readonly x: Real;
  /** [E] */
  readonly weight: Real;
  /** [rows,E] */
  readonly gate?: Real;
}

export interface RmsNormGradients {
  readonly x: Float64Array;
  readonly weight: Float64Array;
  readonly gate?: Float64Array;
}

/**
 * RMS normalisation, optionally gated and in groups (equations A2, step 5): with u = x · SiLU(gate) (u = x without
 * one), for each of the `groups` slices of width w = E/groups,
 *
 *     r = (mean_w u² + ε)^−½,   y = u · r · weight.
 *
 * Returns y [rows,E]. Cost O(rows·E).
 */
export function rmsNorm(input: RmsNormInput): Float64Array {
  const y = new Float64Array(input.rows * input.E);
  forEachGroup(input, (start, channel, width) => {
    const r = inverseRms(input, start, width);
    for (let i = 0; i < width; i++) y[start + i] = gated(input, start + i) * r * input.weight[channel + i];
  });
  return y;
}

/**
 * Gradients of {@link rmsNorm} for `dy` [rows,E]:
 *
 *     du = r · (weight · dy − u · r² · mean_w(u · weight · dy)),   dweight = Σ_rows dy · u · r
 *     dx = du · SiLU(gate),   dgate = du · x · SiLU'(gate)
 */
export function rmsNormGrad(input: RmsNormInput, dy: Real): RmsNormGradients {
  const { x, weight, gate } = input;
  const grads = {
    x: new Float64Array(x.length),
    weight: new Float64Array(input.E),
    gate: gate ? new Float64Array(x.length) : undefined,
  };
  forEachGroup(input, (start, channel, width) => {
    const r = inverseRms(input, start, width);
    let dot = 0;
    for (let i = 0; i < width; i++) dot += gated(input, start + i) * weight[channel + i] * dy[start + i];
    const shrink = (r * r * dot) / width;
    for (let i = 0; i < width; i++) {
      const at = start + i;
      const u = gated(input, at);
      const du = r * (weight[channel + i] * dy[at] - u * shrink);
      grads.weight[channel + i] += dy[at] * u * r;
      grads.x[at] = gate ? du * siluOf(gate[at]) : du;
      if (grads.gate && gate) grads.gate[at] = du * x[at] * siluSlope(gate[at]);
    }
  });
  return grads;
}

function gated({ x, gate }: RmsNormInput, at: number): number {
  return gate ? x[at] * siluOf(gate[at]) : x[at];
}

function inverseRms(input: RmsNormInput, start: number, width: number): number {
  let square = 0;
  for (let i = 0; i < width; i++) square += gated(input, start + i) ** 2;
  return 1 / Math.sqrt(square / width + input.epsilon);
}

function forEachGroup(
  { rows, E, groups }: RmsNormInput,
  visit: (start: number, channel: number, width: number) => void,
): void {
  const width = E / groups;
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) visit(row * E + g * width, g * width, width);
  }
}
