import { type Checkpoint, type CheckpointTensor, InputError, type ModelConfig } from '@/lib/checkpoint';
import { expectedTensors } from '@/lib/checkpoint/schema';
import { type Draw, stateSpaceDraw, TIME_STEP_RANGE } from '@/lib/models';
import type { Random } from '@/lib/random';

export interface InitialOptions {
  /** Standard deviation of the embedding (mamba_ssm: 0.02). */
  readonly embeddingDeviation: number;
  /** Δ starts log-uniform in this range, as softplus of the bias (equations A1: [1e-3, 0.1]). */
  readonly timeStepRange: readonly [number, number];
  /** Divides out_proj by √n_layer, as the original code does (equations A1). */
  readonly rescaleOutput: boolean;
}

export const INITIAL: InitialOptions = {
  embeddingDeviation: 0.02,
  timeStepRange: TIME_STEP_RANGE,
  rescaleOutput: true,
};

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
  const known = stateSpaceDraw(name, shape, random, options.timeStepRange);
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
 * λ keeps the published N(0,1), whose sum over d channels saturates σ at many layers (equations A4).
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
