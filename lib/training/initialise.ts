import { type Checkpoint, type CheckpointTensor, InputError, type ModelConfig } from '@/lib/checkpoint';
import { expectedTensors } from '@/lib/checkpoint/schema';
import type { Random } from '@/lib/random';

/** Δ starts log-uniform in this range (equations A1). */
const TIME_STEP_RANGE = [1e-3, 0.1] as const;
const TIME_STEP_FLOOR = 1e-4;

/** What draws each element of a tensor, given its position. */
type Draw = (index: number) => number;

/** How the vectors of λ are drawn: from a normal distribution; as published from N(0, 1). */
export interface LambdaStart {
  readonly mean: number;
  readonly deviation: number;
}

export interface InitialOptions {
  /** Standard deviation of the embedding (mamba_ssm: 0.02). */
  readonly embeddingDeviation: number;
  /** Δ starts log-uniform in this range, as softplus of the bias (equations A1: [1e-3, 0.1]). */
  readonly timeStepRange: readonly [number, number];
  /** −A of a head of Mamba-2 starts uniform in this range (equations A2: [1, 16]); the smaller, the longer a state lasts. */
  readonly decayRange: readonly [number, number];
  /** Divides out_proj by √n_layer, as the original code does (equations A1). */
  readonly rescaleOutput: boolean;
  readonly lambda: LambdaStart;
}

export const INITIAL: InitialOptions = {
  embeddingDeviation: 0.02,
  timeStepRange: TIME_STEP_RANGE,
  decayRange: [1, 16],
  rescaleOutput: true,
  lambda: { mean: 0, deviation: 1 },
};

/** x with softplus(x) = y. */
const inverseSoftplus = (y: number) => y + Math.log(-Math.expm1(-y));

/** Whether a parameter is one of the vectors that λ is made of. */
export const isLambda = (name: string): boolean => /\.lambda_[qk][12]$/.test(name);

/**
 * The first values of the parameters that every architecture draws alike (equations A1, A2, A4), by the end of their
 * name: A (−1 … −N in the rows of Mamba-1, uniform for a head of Mamba-2), D (1), the bias of Δ (softplus⁻¹ of a
 * log-uniform step), λ and the scales of norms (1). Undefined for all others.
 */
function stateSpaceDraw(
  name: string,
  shape: readonly number[],
  random: Random,
  { timeStepRange, decayRange, lambda }: InitialOptions,
): Draw | undefined {
  if (/\.A[12]?_log$/.test(name))
    return shape.length === 2
      ? (index) => Math.log((index % shape[1]) + 1)
      : () => Math.log(random.uniform(...decayRange));
  if (/\.D[12]?$/.test(name)) return () => 1;
  if (/\.dt[12]?_(bias|proj\.bias)$/.test(name)) {
    const [low, high] = timeStepRange.map(Math.log);
    return () => inverseSoftplus(Math.max(TIME_STEP_FLOOR, Math.exp(random.uniform(low, high))));
  }
  if (isLambda(name)) return () => lambda.mean + lambda.deviation * random.normal();
  if (/\.(norm|norm_f|subln)\.weight$/.test(name)) return () => 1;
  return undefined;
}

const uniform = (random: Random, bound: number) => () => random.uniform(-bound, bound);

/**
 * The distribution of one tensor by its name (equations A1, A2, A4). PyTorch's Linear and Conv1d draw U(±fan_in^-1/2).
 */
function drawOf(
  random: Random,
  name: string,
  shape: readonly number[],
  config: ModelConfig,
  options: InitialOptions,
): Draw {
  const last = name.slice(name.lastIndexOf('.', name.lastIndexOf('.') - 1) + 1);
  const known = stateSpaceDraw(name, shape, random, options);
  if (known) return known;
  if (last === 'embeddings.weight') return () => options.embeddingDeviation * random.normal();
  if (last === 'conv1d.weight') return uniform(random, 1 / Math.sqrt(shape[2]));
  const mixer = config.blocks[Number(/layers\.(\d+)\./.exec(name)?.[1] ?? 0)].mixer;
  if (last === 'conv1d.bias') return uniform(random, 1 / Math.sqrt(mixer.K));
  if (last.endsWith('_proj.bias')) return uniform(random, 1 / Math.sqrt(last.startsWith('in') ? mixer.d : mixer.E));
  if (shape.length !== 2) throw new InputError(`No initial distribution is known for the tensor ${name}.`);
  const draw = uniform(random, 1 / Math.sqrt(shape[1]));
  if (last !== 'out_proj.weight' || !options.rescaleOutput) return draw;
  const scale = 1 / Math.sqrt(config.blocks.length);
  return () => scale * draw();
}

/**
 * A fresh model of any kind, ready for `createModel`. Deterministic in the state of `random`.
 * λ has the published N(0,1) unless told otherwise, whose sum over d channels saturates σ at many layers (equations A4).
 */
export function initialCheckpoint(
  config: ModelConfig,
  random: Random,
  name: string,
  options: InitialOptions = INITIAL,
): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>();
  let parameterCount = 0;
  for (const [tensor, shape] of expectedTensors(config)) {
    const draw = drawOf(random, tensor, shape, config, options);
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < data.length; i++) data[i] = draw(i);
    tensors.set(tensor, { sourceName: tensor, shape, dtype: 'float32', data });
    parameterCount += data.length;
  }
  return { path: '', name, config, tensors, parameterCount };
}
