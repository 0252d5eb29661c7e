import type * as tf from '@tensorflow/tfjs';
import { difference, scaledDifference } from './equations/difference';
import { convolve, linear, splitLast } from './equations/nn';
import { INPUT_POINTS } from './equations/points';
import { type S6Weights, s6 } from './equations/s6';
import { s6Scan, ssdScan } from './equations/scans';
import { ssd } from './equations/ssd';
import type { SsdWeights } from './equations/ssd-weights';
import { convolution, differential, projection, selectiveScan, stateSpaceDual, under } from './equations/tensors';
import { mamba2Rows } from './mamba2';
import type { Tap } from './tap';
import type { DifferentialArchitecture, DifferentialBlock, MixerConfig, Scan, Shapes } from './types';
import type { Weights } from './weights';

/**
 * Diff-S6: one Mamba-1 block with two selective scans, λ ≡ 1 (arXiv 2507.06204, Eq. 14; equations A4).
 * Projections, convolution and gate are shared: out = W_out (S6₁(x) − S6₂(x)), both already gated.
 */
function diffS6(u: tf.Tensor3D, w: Weights, block: DifferentialBlock, tap: Tap): tf.Tensor3D {
  const { E, N } = block.mixer;
  const mixer = w.under('mixer');
  const [x0, z0] = splitLast(linear(u, mixer.under('in_proj')), [E, E]);
  const z = tap.at('hook_skip', z0);
  const x = tap.at('hook_ssm_input', convolve(tap.at('hook_in_proj', x0), mixer.under('conv1d'), tap));
  const y1 = s6(x, z, s6Branch(mixer, 1), N, tap.scope('mixer_1'));
  const y2 = s6(x, z, s6Branch(mixer, 2), N, tap.scope('mixer_2'));
  return tap.at('hook_out_proj', linear(difference(y1, y2, w, block, tap), mixer.under('out_proj')));
}

const s6Branch = (w: Weights, k: 1 | 2): S6Weights => ({
  xProj: w.under(`x${k}_proj`),
  dtProj: w.under(`dt${k}_proj`),
  A_log: w(`A${k}_log`) as tf.Tensor2D,
  D: w(`D${k}`) as tf.Tensor1D,
});

const s6Tensors = (m: MixerConfig): Shapes => [
  ...projection('in_proj', 2 * m.E, m.d, m.useBias),
  ...convolution(m.E, m),
  ...selectiveScan(m, '1'),
  ...selectiveScan(m, '2'),
  ...projection('out_proj', m.d, m.E, m.useBias),
];

/** Two scans of one mixer, each with a D of its own. */
const branches = (of: (name: Scan['name'], mixer: string) => Scan, shared: readonly string[]): Scan[] =>
  ([1, 2] as const).map((k) => {
    const scan = of(`mixer_${k}`, 'mixer');
    return { ...scan, shared, parameters: { ...scan.parameters, D: `mixer.D${k}` } };
  });

export const DIFF_S6: DifferentialArchitecture = {
  label: 'Diff-S6',
  expand: 2,
  anatomy: {
    scans: branches(s6Scan, INPUT_POINTS),
    difference: {
      branches: [{ point: 'mixer_1.hook_after_skip' }, { point: 'mixer_2.hook_after_skip' }],
      outProj: 'after',
      doubled: false,
      lambda: { constant: 1 },
    },
  },
  tensors: ({ mixer }) => under('mixer', s6Tensors(mixer)),
  forward: diffS6,
};

/**
 * DiffS6Mamba2, the paper's Diff-S6 (equations A4): two SSD branches with their own input projections that
 * share convolution, gated norm and output projection.
 *
 *     out = W_out ((1 − λ_init) · RMS(SSD₁(u) − λ · SSD₂(u); subln)),   subln of width E
 */
function diffS6Mamba2(u: tf.Tensor3D, w: Weights, block: DifferentialBlock, tap: Tap): tf.Tensor3D {
  const mixer = w.under('mixer');
  const y1 = ssd(u, ssdBranch(mixer, 1), block.mixer, tap.scope('mixer_1'));
  const y2 = ssd(u, ssdBranch(mixer, 2), block.mixer, tap.scope('mixer_2'));
  const delta = difference(y1, y2, mixer, block, tap);
  return tap.at('hook_out_proj', linear(scaledDifference(delta, mixer, block, tap), mixer.under('out_proj')));
}

const ssdBranch = (w: Weights, k: 1 | 2): SsdWeights => ({
  inProj: w.under(`in_proj${k}`),
  conv: w.under('conv1d'),
  dt_bias: w(`dt${k}_bias`) as tf.Tensor1D,
  A_log: w(`A${k}_log`) as tf.Tensor1D,
  D: w(`D${k}`) as tf.Tensor1D,
  norm: w('norm.weight') as tf.Tensor1D,
});

const ssdTensors = (m: MixerConfig): Shapes => [
  ...projection('in_proj1', mamba2Rows(m), m.d, m.useBias),
  ...projection('in_proj2', mamba2Rows(m), m.d, m.useBias),
  ...convolution(m.E + 2 * m.G * m.N, m),
  ...stateSpaceDual(m, '1'),
  ...stateSpaceDual(m, '2'),
  ['norm.weight', [m.E]],
  ...projection('out_proj', m.d, m.E, m.useBias),
];

export const DIFF_S6_MAMBA2: DifferentialArchitecture = {
  label: 'Diff-S6 (Mamba-2)',
  expand: 2,
  anatomy: {
    scans: branches(ssdScan, []),
    difference: {
      branches: [{ point: 'mixer_1.hook_gated_norm' }, { point: 'mixer_2.hook_gated_norm' }],
      outProj: 'after',
      doubled: false,
      subln: 'mixer.subln.weight',
      lambda: 'sigmoid_scalar',
    },
  },
  tensors: (block: DifferentialBlock) => {
    const { mixer } = block;
    return under('mixer', [...ssdTensors(mixer), ...differential(block, mixer.E, mixer.E)]);
  },
  forward: diffS6Mamba2,
};
