import * as tf from '@tensorflow/tfjs';
import {
  hasMixerStep,
  type MixerStep,
  type MixerStepKernel,
  MOST_ROWS_OF_A_STEP,
  mamba1Step,
  mamba2Step,
  type Projection,
} from '@/kernels/ops';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Memory, Tap } from '../hooks';
import type { Weights } from '../weights';
import type { SsdWeights } from './ssd';

/** What hooks may ask for between the two ends of a mixer, besides the state at one position. */
const INSIDE = [
  ...['hook_skip', 'hook_in_proj', 'hook_conv', 'hook_ssm_input', 'hook_delta_1', 'hook_delta_2', 'hook_delta'],
  ...['hook_A', 'hook_B', 'hook_C', 'hook_A_bar', 'hook_B_bar', 'hook_h', 'hook_y', 'hook_ssm_output'],
  ...['hook_after_skip', 'hook_gated_norm'],
];

/**
 * The memory of a mixer that may take its one token in a single kernel: while decoding, on a device that has the kernel,
 * and only where nobody observes the values between its ends, nor asks for gradients.
 */
function memoryOfOneToken(kernel: MixerStepKernel, { shape: [B, L] }: tf.Tensor3D, tap: Tap): Memory | null {
  const { memory } = tap;
  if (!memory || L !== 1 || B > MOST_ROWS_OF_A_STEP || !hasMixerStep(kernel) || tf.engine().isTapeOn()) return null;
  return tap.wants(`hook_h.${memory.position}`) || INSIDE.some((point) => tap.wants(point)) ? null : memory;
}

/** The whole of `mamba1` for one token while decoding: u [B,1,d] → [B,1,d]; null where its equations must be followed. */
export function mamba1OfOneToken(u: tf.Tensor3D, w: Weights, tap: Tap): tf.Tensor3D | null {
  const memory = memoryOfOneToken('Mamba1Step', u, tap);
  if (!memory) return null;
  const step = mamba1Step({
    u,
    inProj: projection(w.under('in_proj')),
    conv: convolution(w.under('conv1d')),
    xProj: projection(w.under('x_proj')),
    dtProj: projection(w.under('dt_proj')),
    A_log: w('A_log'),
    D: w('D') as tf.Tensor1D,
    outProj: projection(w.under('out_proj')),
    ...recall(memory),
  });
  return remember(step, memory);
}

/** The whole of `ssd`, or with `outProj` of `mamba2`, for one token while decoding; null as above. */
export function ssdOfOneToken(
  u: tf.Tensor3D,
  w: SsdWeights,
  { G, epsilon, timeStepLimit }: MixerConfig,
  tap: Tap,
  outProj?: Weights,
): tf.Tensor3D | null {
  const memory = memoryOfOneToken('Mamba2Step', u, tap);
  if (!memory) return null;
  const step = mamba2Step(
    {
      u,
      inProj: projection(w.inProj),
      conv: convolution(w.conv),
      dtBias: w.dt_bias,
      A_log: w.A_log,
      D: w.D,
      norm: w.norm,
      outProj: outProj && projection(outProj),
      ...recall(memory),
    },
    { groups: G, epsilon, timeStepLimit },
  );
  return remember(step, memory);
}

const biasOf = (w: Weights) => (w.has('bias') ? (w('bias') as tf.Tensor1D) : undefined);
const projection = (w: Weights): Projection => ({ weight: w('weight') as tf.Tensor2D, bias: biasOf(w) });
const convolution = (w: Weights) => ({ weight: w('weight') as tf.Tensor3D, bias: biasOf(w) });

const recall = (memory: Memory) => ({
  past: memory.recall('conv') as tf.Tensor3D | undefined,
  state: memory.recall('ssm'),
});

function remember({ y, past, state }: MixerStep, memory: Memory): tf.Tensor3D {
  memory.store('conv', past);
  memory.store('ssm', state);
  return y;
}
