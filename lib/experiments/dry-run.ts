import * as tf from '@tensorflow/tfjs';
import { defaultRoots, expectedTensors, loadCheckpoint } from '@/lib/checkpoint';
import { convertCheckpoint } from '@/lib/conversion';
import { openSource } from '@/lib/data/sources';
import { fetchModel } from '@/lib/hub';
import { InputError } from '@/lib/input-error';
import { parseTrainingConfig, stagesOf, type TrainingConfig } from '@/lib/training';
import { modelConfigOf } from '@/lib/training/config';
import type { Experiment } from './config';
import { type Arm, armsOf } from './plan';

/** What a run of an arm would be, without a step of it. */
export interface Estimate {
  readonly arm: string;
  readonly parameters: number;
  /** Whether that is what the experiment says it must be; undefined where it says nothing. */
  readonly as_stated?: boolean;
  readonly runs: number;
  readonly steps: number;
  /** Of one run, from the length of rows of its data. */
  readonly tokens: number;
  /** Of one run: 6 · parameters in products · tokens. */
  readonly flops: number;
  /** Of all runs of the arm on one such device, were all of it products of matrices at the rate measured here. */
  readonly hours_at_least: number;
}

/** Rows of a source whose mean length stands for all. */
const ROWS = 32;

/** Side of the matrices that are timed, and how often. */
const SIDE = 1024;
const TIMES = 3;

/**
 * The shapes of all models of an experiment, their parameters against what the experiment says, and what training would take. Nothing
 * is trained, and weights are read only of checkpoints that runs begin with.
 * @throws InputError where a count is not as stated, or data or a checkpoint are not there
 */
export async function dryRun(
  experiment: Experiment,
  root: string,
): Promise<{ flops_per_second: number; arms: Estimate[] }> {
  const rate = await productRate();
  const estimates: Estimate[] = [];
  const shapes = new Map<string, ReadonlyMap<string, readonly number[]>>();
  for (const arm of armsOf(experiment)) {
    const own = await shapesOf(arm, shapes, root);
    shapes.set(arm.name, own);
    const parameters = [...own.values()].reduce((sum, shape) => sum + size(shape), 0);
    if (arm.parameters !== undefined && arm.parameters !== parameters)
      throw new InputError(
        `Arm ${arm.name} has ${parameters} parameters and the experiment says ${arm.parameters}: correct the model, or what is said of it.`,
      );
    const [run] = arm.runs;
    const { steps, tokens } = run ? await lengthOf(parseTrainingConfig(run.config)) : { steps: 0, tokens: 0 };
    const flops = 6 * inProducts(own) * tokens;
    estimates.push({
      arm: arm.name,
      parameters,
      ...(arm.parameters !== undefined && { as_stated: true }),
      runs: arm.runs.length,
      steps,
      tokens,
      flops,
      hours_at_least: (arm.runs.length * flops) / rate / 3600,
    });
  }
  return { flops_per_second: rate, arms: estimates };
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Parameters that every token meets in a product: all matrices but the embedding, which is looked up, unless it is the head too. */
function inProducts(shapes: ReadonlyMap<string, readonly number[]>): number {
  const tied = ![...shapes.keys()].some((name) => name.startsWith('lm_head'));
  return [...shapes]
    .filter(([name, shape]) => shape.length === 2 && (tied || !name.includes('embedding')))
    .reduce((sum, [, shape]) => sum + size(shape), 0);
}

async function shapesOf(
  { name, runs, model, after }: Arm,
  known: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>,
  root: string,
): Promise<ReadonlyMap<string, readonly number[]>> {
  if (model) return shapesOfCheckpoint(model, root);
  const config = parseTrainingConfig(runs[0].config);
  if (!config.from) return expectedTensors(modelConfigOf(config, await vocabularyOf(config)));
  if (after === undefined && !config.from.convert) return shapesOfCheckpoint(config.from.checkpoint, root);
  if (after !== undefined && !config.from.convert) return known.get(after) as ReadonlyMap<string, readonly number[]>;
  if (after !== undefined)
    throw new InputError(
      `Arm ${name} converts what arm ${after} will have made: its shapes are known when that is there.`,
    );
  const { path } = await fetchModel(config.from.checkpoint, { roots: defaultRoots(root) });
  const { to, pattern, layout } = config.from.convert as NonNullable<NonNullable<TrainingConfig['from']>['convert']>;
  const converted = convertCheckpoint(await loadCheckpoint(path), { to, pattern, layout, seed: config.seed });
  return new Map([...converted.tensors].map(([key, { shape }]) => [key, shape]));
}

async function shapesOfCheckpoint(name: string, root: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const { path } = await fetchModel(name, { roots: defaultRoots(root) });
  return new Map([...(await loadCheckpoint(path)).tensors].map(([key, { shape }]) => [key, shape]));
}

const sourceOf = ({ weight: _weight, loss: _loss, ...source }: TrainingConfig['data'][number]) => openSource(source);

async function vocabularyOf({ model, data }: TrainingConfig): Promise<number> {
  const given = model?.vocab_size;
  if (typeof given === 'number') return given;
  const sources = await Promise.all(data.map(sourceOf));
  return Math.max(...sources.map(({ vocabularySize }) => vocabularySize));
}

/** Steps and tokens of a run, where no stage ends before its limit. */
async function lengthOf(config: TrainingConfig): Promise<{ steps: number; tokens: number }> {
  let [steps, tokens] = [0, 0];
  for (const stage of stagesOf(config)) {
    const weights = stage.data.reduce((sum, { weight }) => sum + weight, 0);
    let length = 0;
    for (const part of stage.data) {
      const source = await sourceOf(part);
      const rows = Array.from({ length: ROWS }, (_, index) => source.row('train', index).tokens.length);
      length += ((part.weight / weights) * rows.reduce((sum, one) => sum + one, 0)) / ROWS;
    }
    steps += stage.steps;
    tokens += Math.round(stage.steps * stage.batchSize * config.accumulate * length);
  }
  return { steps, tokens };
}

/** Floating-point operations a second of large products on the current device. */
async function productRate(): Promise<number> {
  const a = tf.ones([SIDE, SIDE]);
  const once = async () => {
    const product = tf.matMul(a, a);
    await product.data();
    product.dispose();
  };
  await once();
  const started = performance.now();
  for (let k = 0; k < TIMES; k++) await once();
  a.dispose();
  return (TIMES * 2 * SIDE ** 3) / ((performance.now() - started) / 1000);
}
