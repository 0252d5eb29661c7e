import * as tf from '@tensorflow/tfjs';
import * as reference from '../reference';
import { Random } from '../reference/random';
import {
  type Mamba1StepWeights,
  type Mamba2StepWeights,
  type MixerOutput,
  type MixerStepInput,
  mamba1Step,
  mamba2Step,
  roundToBfloat16,
} from '.';
import type { OpCase } from './op-case';

interface StepCase {
  readonly rows: number;
  readonly d: number;
  readonly E: number;
  readonly N: number;
  readonly K: number;
  /** Every projection and the convolution have a bias. */
  readonly biases?: boolean;
  /** After the first token: with inputs of the convolution and a state. */
  readonly later?: boolean;
  /** Projections of bfloat16. */
  readonly halves?: boolean;
  /** With the norm and the sum of the block around the mixer. */
  readonly block?: boolean;
}

interface Mamba1Case extends StepCase {
  readonly R: number;
}

interface Mamba2Case extends StepCase {
  readonly H: number;
  readonly G: number;
  /** Up to the gated norm only. */
  readonly open?: boolean;
  readonly timeStepLimit?: readonly [number, number];
}

type Arrays = Record<string, Float64Array>;
type Named = Record<string, tf.Tensor>;

/** Random inputs by name, of values that float32 and, for the projections of `halves`, bfloat16 hold exactly. */
class Inputs {
  readonly shapes: Record<string, number[]> = {};
  readonly values: Arrays = {};
  private readonly random = new Random(11);

  constructor(private readonly c: StepCase) {}

  add(name: string, shape: number[], scale = 1): void {
    this.shapes[name] = shape;
    this.values[name] = this.random
      .normal(
        shape.reduce((a, b) => a * b, 1),
        scale,
      )
      .map(Math.fround);
  }

  project(name: string, outputs: number, inputs: number): void {
    this.add(name, [outputs, inputs], 1 / Math.sqrt(inputs));
    if (this.c.halves) this.values[name] = this.values[name].map(nearEnough);
    if (this.c.biases) this.add(`${name}Bias`, [outputs], 0.3);
  }

  /** What both mixers have: the token, the convolution over `channels`, and what is remembered. */
  shared(channels: number, state: number[]): void {
    const { rows, d, K, biases, later, block } = this.c;
    this.add('u', [rows, 1, d]);
    this.add('conv', [channels, 1, K]);
    if (biases) this.add('convBias', [channels]);
    if (block) this.add('blockNorm', [d]);
    if (later) {
      this.add('past', [rows, K - 1, channels]);
      this.add('state', state);
    }
  }

  opCase(name: string, run: (t: Named) => MixerOutput, expected: reference.MixerStepOutput): OpCase {
    return {
      name: `${name} ${JSON.stringify(this.c)}`,
      inputs: Object.fromEntries(
        Object.entries(this.values).map(([key, values]) => [key, { shape: this.shapes[key], values }]),
      ),
      run: (t) => {
        const { y, past, state } = run(this.c.halves ? this.rounded(t) : t);
        return tf.concat([y.flatten(), past.flatten(), state.flatten()]);
      },
      expected: Float64Array.of(...expected.y, ...expected.past, ...expected.state),
    };
  }

  private rounded(t: Named): Named {
    const isProjection = (name: string) => name.endsWith('Proj');
    return Object.fromEntries(
      Object.entries(t).map(([name, value]) => [name, isProjection(name) ? roundToBfloat16(value) : value]),
    );
  }
}

/** A number of few bits beside x, which bfloat16 holds. */
const nearEnough = (x: number) => Math.round(x * 64) / 64;

const BLOCK_EPSILON = 0.02;

/** What both mixers' weights are made of, as arrays or tensors. */
const weightsOf = <T>(t: Record<string, T>) => ({
  A_log: t.A_log,
  D: t.D,
  inProj: pair(t, 'inProj'),
  conv: pair(t, 'conv'),
  block: t.blockNorm && { norm: t.blockNorm, epsilon: BLOCK_EPSILON },
});

const inputOf = <T>(t: Record<string, T>) => ({ u: t.u, past: t.past, state: t.state });

const pair = <T>(t: Record<string, T>, name: string) => ({ weight: t[name], bias: t[`${name}Bias`] });

/** One step of a Mamba-1 mixer against the reference. */
export function mamba1StepCase(c: Mamba1Case): OpCase {
  const { rows, E, N, R } = c;
  const inputs = new Inputs(c);
  inputs.shared(E, [rows, E, N]);
  inputs.project('inProj', 2 * E, c.d);
  inputs.project('xProj', R + 2 * N, E);
  inputs.project('dtProj', E, R);
  inputs.project('outProj', c.d, E);
  inputs.add('A_log', [E, N]);
  inputs.add('D', [E]);
  const parts = <T>(t: Record<string, T>) => ({
    ...weightsOf(t),
    xProj: pair(t, 'xProj'),
    dtProj: pair(t, 'dtProj'),
    outProj: pair(t, 'outProj'),
  });
  const { conv, ...arrays } = parts(inputs.values);
  const given = { ...c, ...arrays, ...inputOf(inputs.values), convWeight: conv.weight, convBias: conv.bias };
  const run = (t: Named) =>
    mamba1Step(parts(t) as unknown as Mamba1StepWeights, inputOf(t) as unknown as MixerStepInput);
  return inputs.opCase('mamba1Step', run, reference.mamba1Step(given));
}

/** One step of a Mamba-2 mixer against the reference. */
export function mamba2StepCase(c: Mamba2Case): OpCase {
  const { rows, E, N, H, G, timeStepLimit = [0, Number.POSITIVE_INFINITY] } = c;
  const channels = E + 2 * G * N;
  const epsilon = 1e-5;
  const inputs = new Inputs(c);
  inputs.shared(channels, [rows, H, E / H, N]);
  inputs.project('inProj', E + channels + H, c.d);
  if (!c.open) inputs.project('outProj', c.d, E);
  for (const name of ['A_log', 'D', 'dtBias']) inputs.add(name, [H]);
  inputs.add('norm', [E]);
  const parts = <T>(t: Record<string, T>) => ({
    ...weightsOf(t),
    dtBias: t.dtBias,
    norm: t.norm,
    groups: G,
    epsilon,
    timeStepLimit,
    outProj: c.open ? undefined : pair(t, 'outProj'),
  });
  const { conv, ...arrays } = parts(inputs.values);
  const given = { ...c, ...arrays, ...inputOf(inputs.values), convWeight: conv.weight, convBias: conv.bias };
  const run = (t: Named) =>
    mamba2Step(parts(t) as unknown as Mamba2StepWeights, inputOf(t) as unknown as MixerStepInput);
  return inputs.opCase('mamba2Step', run, reference.mamba2Step(given));
}

/** Steps over awkward shapes; for every device that has the kernels. */
export function mixerStepCases(): OpCase[] {
  return [
    mamba1StepCase({ rows: 1, d: 1, E: 1, N: 1, R: 1, K: 1 }),
    mamba1StepCase({ rows: 1, d: 5, E: 7, N: 3, R: 2, K: 4, later: true }),
    mamba1StepCase({ rows: 3, d: 9, E: 21, N: 16, R: 3, K: 3, biases: true }),
    mamba1StepCase({ rows: 8, d: 17, E: 35, N: 19, R: 2, K: 4, biases: true, later: true }),
    mamba1StepCase({ rows: 1, d: 40, E: 150, N: 16, R: 5, K: 4, biases: true, later: true, halves: true }),
    mamba1StepCase({ rows: 2, d: 21, E: 24, N: 8, R: 2, K: 4, later: true, block: true }),
    mamba2StepCase({ rows: 3, d: 13, E: 24, N: 8, H: 4, G: 2, K: 4, biases: true, later: true, block: true }),
    mamba2StepCase({ rows: 1, d: 1, E: 1, N: 1, H: 1, G: 1, K: 1 }),
    mamba2StepCase({ rows: 1, d: 5, E: 6, N: 3, H: 2, G: 1, K: 4, later: true }),
    mamba2StepCase({ rows: 2, d: 9, E: 36, N: 16, H: 4, G: 2, K: 2, biases: true, open: true, later: true }),
    mamba2StepCase({ rows: 5, d: 11, E: 70, N: 21, H: 10, G: 5, K: 4, biases: true, later: true }),
    mamba2StepCase({ rows: 1, d: 24, E: 130, N: 64, H: 2, G: 1, K: 4, later: true, timeStepLimit: [0.4, 0.9] }),
    mamba2StepCase({ rows: 6, d: 32, E: 96, N: 33, H: 3, G: 1, K: 4, biases: true, later: true, halves: true }),
  ];
}
