import type { PlacedScan } from '@/lib/architectures/places';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { ScanParameters } from '../operator';
import type { Captured } from './continuation';

/** What was captured in a block, by hook name. */
export type Values = (name: string) => Float32Array;

export const valuesIn =
  (captured: ReadonlyMap<string, Captured>): Values =>
  (name) => {
    const found = captured.get(name);
    if (!found) throw new Error(`${name} was not captured.`);
    return found.data;
  };

/** Hook names that {@link sourceTerms} reads. */
export const termNames = ({ at }: PlacedScan): string[] =>
  ['skip', 'in_proj', 'conv', 'delta', 'A', 'B', 'C', 'after_skip'].map(at);

/**
 * What every source token brings to one scan's output at token i, the last of L, split by channel: v[j,e] with
 *
 *     Σ_j v[j,e] = (y_i + D x_i)[e] · SiLU(z_i[e])     Mamba-2 kinds: · norm weight / rms, the output of the gated norm
 *
 * the row i of the whole-block map (equations C2) times x0: convolution, σ(conv), scan with D, gate and norm,
 * everything that depends on data held at its value. The last row, j = L, is the token-free term of the convolution's
 * bias.
 *
 * @returns [L+1,E], float64 rounded to float32. Cost: L·E·(N + K) for S6, L·(H·N + E·K) for SSD.
 */
export function sourceTerms(
  mixer: MixerConfig,
  scan: PlacedScan,
  parameters: ScanParameters,
  of: Values,
): Float32Array {
  const { E } = mixer;
  const { D, K, taps: weight, convBias: bias } = parameters;
  const x0 = of(scan.at('in_proj'));
  const L = x0.length / E;
  const i = L - 1;
  const conv = of(scan.at('conv'));
  const width = conv.length / L;
  const reads = readWeights(mixer, scan, of, L);
  const output = outputScale(mixer, scan, parameters, of, i);
  const terms = new Float64Array((L + 1) * E);
  for (let e = 0; e < E; e++) {
    const skip = D[mixer.H > 0 ? Math.floor(e / mixer.P) : e];
    for (let k = 0; k < L; k++) {
      const read = reads(k, e) + (k === i ? skip : 0);
      const through = (output[e] * read) / (1 + Math.exp(-conv[k * width + e]));
      for (let m = 0; m < K && m <= k; m++) {
        const j = k - m;
        terms[j * E + e] += through * weight[e * K + K - 1 - m] * x0[j * E + e];
      }
      if (bias) terms[L * E + e] += through * bias[e];
    }
  }
  return Float32Array.from(terms);
}

/** α_e[i,k] of the last token i (equations C1, C3), summed outward from i so that no exponent is above 0. */
function readWeights(
  { E, N, H, P, G }: MixerConfig,
  { at }: PlacedScan,
  of: Values,
  L: number,
): (k: number, e: number) => number {
  const [delta, A, B, C] = ['delta', 'A', 'B', 'C'].map((point) => of(at(point)));
  const rows = H > 0 ? H : E;
  const i = L - 1;
  const weights = new Float64Array(L * rows);
  for (let row = 0; row < rows; row++) {
    const group = H > 0 ? Math.floor(row / (H / G)) : 0;
    const groups = H > 0 ? G : 1;
    let elapsed = 0;
    for (let k = i; k >= 0; k--) {
      const step = delta[k * rows + row];
      let sum = 0;
      for (let n = 0; n < N; n++) {
        const rate = H > 0 ? A[row] : A[row * N + n];
        sum += C[(i * groups + group) * N + n] * B[(k * groups + group) * N + n] * Math.exp(rate * elapsed);
      }
      weights[k * rows + row] = step * sum;
      elapsed += step;
    }
  }
  return (k, e) => weights[k * rows + (H > 0 ? Math.floor(e / P) : e)];
}

/** What multiplies the scan's output of each channel at token i: SiLU(z), and the gated norm of Mamba-2 kinds. */
function outputScale(
  { E, G }: MixerConfig,
  { at }: PlacedScan,
  { norm, epsilon }: ScanParameters,
  of: Values,
  i: number,
): Float64Array {
  const z = of(at('skip'));
  const scale = Float64Array.from({ length: E }, (_, e) => z[i * E + e] / (1 + Math.exp(-z[i * E + e])));
  if (!norm) return scale;
  const gated = of(at('after_skip'));
  const size = E / G;
  for (let group = 0; group < G; group++) {
    let squares = 0;
    for (let c = 0; c < size; c++) squares += gated[i * E + group * size + c] ** 2;
    const inverse = 1 / Math.sqrt(squares / size + epsilon);
    for (let c = 0; c < size; c++) scale[group * size + c] *= inverse * norm[group * size + c];
  }
  return scale;
}
