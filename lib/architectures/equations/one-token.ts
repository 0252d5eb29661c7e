import * as tf from '@tensorflow/tfjs';
import {
  hasMixerStep,
  type MixerOutput,
  type MixerStepInput,
  type MixerStepKernel,
  MOST_ROWS_OF_A_STEP,
  mamba1Step,
  mamba2Step,
  type Projection,
} from '@/kernels/ops';
import type { Tap } from '../tap';
import type { MixerConfig } from '../types';
import type { Weights } from '../weights';
import { BLOCK_POINTS, S6_POINTS, SSD_POINTS } from './points';
import { mamba2Weights, type SsdWeights } from './ssd-weights';
import { recall, remember } from './states';

/** What hooks may ask for between the two ends of a mixer, besides the state at one position. */
const INSIDE = [...new Set([...S6_POINTS, ...SSD_POINTS])].map((point) => `hook_${point}`);

/** The same of a block with one mixer. */
const AROUND = [...INSIDE, ...BLOCK_POINTS.map((point) => `hook_${point}`)];

type Step = (input: MixerStepInput) => MixerOutput;

/** Steps by the weights that they belong to: these are put together and checked once, not for every token. */
const steps = new WeakMap<Weights, Step>();

/**
 * One token u [B,1,d] through a step, while decoding on a device that has its kernel. Null, so that the equations must be
 * followed one by one, where somebody observes one of `points`, asks for gradients, or has many rows.
 */
function ofOneToken(
  kernel: MixerStepKernel,
  owner: Weights,
  u: tf.Tensor3D,
  tap: Tap,
  points: readonly string[],
  make: () => Step,
): tf.Tensor3D | null {
  const [B, L] = u.shape;
  const { memory } = tap;
  if (!memory || L !== 1 || B > MOST_ROWS_OF_A_STEP || !hasMixerStep(kernel) || tf.engine().isTapeOn()) return null;
  if (tap.wants(`hook_h.${memory.position}`) || points.some((point) => tap.wants(point))) return null;
  let step = steps.get(owner);
  if (!step) {
    step = make();
    steps.set(owner, step);
  }
  return remember(step({ u, ...recall(memory) }), memory);
}

/** A whole block with one Mamba-1 mixer, its norm and its sum, h + mixer(RMS(h)), for one token while decoding; or null. */
export function mamba1BlockOfOneToken(h: tf.Tensor3D, w: Weights, tap: Tap, epsilon: number): tf.Tensor3D | null {
  return ofOneToken('Mamba1Step', w, h, tap, AROUND, () => mamba1StepOf(w.under('mixer'), around(w, epsilon)));
}

/** The same of a block with one Mamba-2 mixer. */
export function mamba2BlockOfOneToken(
  h: tf.Tensor3D,
  w: Weights,
  mixer: MixerConfig,
  tap: Tap,
  epsilon: number,
): tf.Tensor3D | null {
  return ofOneToken('Mamba2Step', w, h, tap, AROUND, () => {
    const own = w.under('mixer');
    return ssdStepOf(mamba2Weights(own), mixer, own.under('out_proj'), around(w, epsilon));
  });
}

/** The whole of `mamba1` for one token while decoding: u [B,1,d] → [B,1,d]; or null. */
export function mamba1OfOneToken(u: tf.Tensor3D, w: Weights, tap: Tap): tf.Tensor3D | null {
  return ofOneToken('Mamba1Step', w, u, tap, INSIDE, () => mamba1StepOf(w));
}

/** The whole of `ssd`, or with `outProj` of `mamba2`, for one token while decoding; or null. */
export function ssdOfOneToken(
  u: tf.Tensor3D,
  w: SsdWeights,
  config: MixerConfig,
  tap: Tap,
  outProj?: Weights,
): tf.Tensor3D | null {
  return ofOneToken('Mamba2Step', w.inProj, u, tap, INSIDE, () => ssdStepOf(w, config, outProj));
}

type BlockAround = { readonly norm: tf.Tensor1D; readonly epsilon: number };

const around = (w: Weights, epsilon: number): BlockAround => ({ norm: w('norm.weight') as tf.Tensor1D, epsilon });

function mamba1StepOf(w: Weights, block?: BlockAround): Step {
  const weights = {
    inProj: projection(w.under('in_proj')),
    conv: convolution(w.under('conv1d')),
    xProj: projection(w.under('x_proj')),
    dtProj: projection(w.under('dt_proj')),
    A_log: w('A_log'),
    D: w('D') as tf.Tensor1D,
    outProj: projection(w.under('out_proj')),
    block,
  };
  return (input) => mamba1Step(weights, input);
}

function ssdStepOf(
  { inProj, conv, dt_bias: dtBias, A_log, D, norm }: SsdWeights,
  { G: groups, epsilon, timeStepLimit }: MixerConfig,
  outProj?: Weights,
  block?: BlockAround,
): Step {
  const weights = {
    dtBias,
    A_log,
    D,
    norm: norm as tf.Tensor1D,
    groups,
    epsilon,
    timeStepLimit,
    block,
    inProj: projection(inProj),
    conv: convolution(conv),
    outProj: outProj && projection(outProj),
  };
  return (input) => mamba2Step(weights, input);
}

const biasOf = (w: Weights) => (w.has('bias') ? (w('bias') as tf.Tensor1D) : undefined);
const projection = (w: Weights): Projection => ({ weight: w('weight') as tf.Tensor2D, bias: biasOf(w) });
const convolution = (w: Weights) => ({ weight: w('weight') as tf.Tensor3D, bias: biasOf(w) });
