import * as tf from '@tensorflow/tfjs';
import { defaultRoots, expectedTensors, loadCheckpoint, type ModelConfig } from '@/lib/checkpoint';
import { convertedConfig } from '@/lib/conversion';
import { openSource } from '@/lib/data/sources';
import { fetchModel } from '@/lib/hub';
import { InputError } from '@/lib/input-error';
import { parseTrainingConfig, stagesOf, type TrainingConfig } from '@/lib/training';
import { modelConfigOf } from '@/lib/training/config';
import type { Experiment } from './config';
import { type Arm, armsOf, wavesOf } from './plan';

/** What a run of an arm would be, without a step of it. */
export interface Estimate {
  readonly arm: string;
  /** Null of a model that is not there. */
  readonly parameters: number | null;
  /** Whether that is what the experiment says it must be; undefined where it says nothing. */
  readonly as_stated?: boolean;
  readonly runs: number;
  readonly steps: number;
  /** Of one run, from the length of rows of its data; null where they are not there and their configuration does not say it. */
  readonly tokens: number | null;
  /** Of one run: 6 · parameters in products · tokens. */
  readonly flops: number | null;
  /** Of all runs of the arm on one such device, were all of it products of matrices at the rate measured here. */
  readonly hours_at_least: number | null;
  /** What has to be brought here before it can run, a sentence each. */
  readonly lacks?: readonly string[];
}

/** Rows of a source whose mean length stands for all. */
const ROWS = 32;

/** Side of the matrices that are timed, and how often. */
const SIDE = 1024;
const TIMES = 3;

/**
 * The shapes of all models of an experiment, their parameters against what the experiment says, and what training would take. Nothing
 * is trained, no weights are read but those of models that are there, and what is not there is said.
 * @param rate floating-point operations a second; measured on the current device where it is left out
 * @throws InputError where a count is not as stated
 */
export async function dryRun(
  experiment: Experiment,
  root: string,
  { rate: given }: { readonly rate?: number } = {},
): Promise<{ flops_per_second: number; arms: Estimate[] }> {
  const rate = given ?? (await productRate());
  const estimates: Estimate[] = [];
  const known = new Map<string, ModelConfig>();
  const lengths = new Map<string, number>();
  const arms = armsOf(experiment);
  // An arm may begin with one that stands behind it in the file.
  for (const arm of [...arms.filter(({ runs }) => runs.length === 0), ...wavesOf(arms).flat()]) {
    const lacks: string[] = [];
    const config = await configOf(arm, known, root, lacks);
    if (config) known.set(arm.name, config);
    const own = config && expectedTensors(config);
    const parameters = own ? [...own.values()].reduce((sum, shape) => sum + size(shape), 0) : null;
    if (arm.parameters !== undefined && parameters !== null && arm.parameters !== parameters)
      throw new InputError(
        `Arm ${arm.name} has ${parameters} parameters and the experiment says ${arm.parameters}: correct the model, or what is said of it.`,
      );
    const [run] = arm.runs;
    const { steps, tokens } = run
      ? await lengthOf(parseTrainingConfig(run.config), lengths, lacks)
      : { steps: 0, tokens: 0 };
    const flops = own && tokens !== null ? 6 * inProducts(own) * tokens : null;
    estimates.push({
      arm: arm.name,
      parameters,
      ...(arm.parameters !== undefined && parameters !== null && { as_stated: true }),
      runs: arm.runs.length,
      steps,
      tokens,
      flops,
      hours_at_least: flops === null ? null : (arm.runs.length * flops) / rate / 3600,
      ...(lacks.length > 0 && { lacks: [...new Set(lacks)] }),
    });
  }
  const order = arms.map(({ name }) => name);
  estimates.sort((a, b) => order.indexOf(a.arm) - order.indexOf(b.arm));
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

/** The shape of an arm's model; undefined where it is not there, which is said in `lacks`. */
async function configOf(
  { runs, model, after }: Arm,
  known: ReadonlyMap<string, ModelConfig>,
  root: string,
  lacks: string[],
): Promise<ModelConfig | undefined> {
  if (model) return there(() => configOfCheckpoint(model, root), lacks);
  const config = parseTrainingConfig(runs[0].config);
  const { from } = config;
  if (!from) return there(async () => modelConfigOf(config, await vocabularyOf(config)), lacks);
  const base =
    after === undefined ? await there(() => configOfCheckpoint(from.checkpoint, root), lacks) : known.get(after);
  return base && from.convert ? convertedConfig(base, from.convert) : base;
}

async function configOfCheckpoint(name: string, root: string): Promise<ModelConfig> {
  const { path } = await fetchModel(name, { roots: defaultRoots(root) });
  return (await loadCheckpoint(path)).config;
}

/** What is made of files that may not be there. */
async function there<T>(read: () => Promise<T>, lacks: string[]): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    lacks.push(error.message);
    return undefined;
  }
}

const sourceOf = ({ weight: _weight, loss: _loss, ...source }: TrainingConfig['data'][number]) => openSource(source);

async function vocabularyOf({ model, data }: TrainingConfig): Promise<number> {
  const given = model?.vocab_size;
  if (typeof given === 'number') return given;
  const sources = await Promise.all(data.map(sourceOf));
  return Math.max(...sources.map(({ vocabularySize }) => vocabularySize));
}

/** Steps and tokens of a run, where no stage ends before its limit; no tokens where data are not there and do not say how long rows are. */
async function lengthOf(
  config: TrainingConfig,
  known: Map<string, number>,
  lacks: string[],
): Promise<{ steps: number; tokens: number | null }> {
  let [steps, tokens] = [0, 0];
  for (const stage of stagesOf(config)) {
    const weights = stage.data.reduce((sum, { weight }) => sum + weight, 0);
    let length = 0;
    for (const part of stage.data) {
      // Arms share their data, and rows have to be drawn to be measured.
      const key = JSON.stringify(part);
      const rows = known.get(key) ?? (await rowLength(part, lacks));
      if (Number.isFinite(rows)) known.set(key, rows);
      // One that is not known makes the sum so.
      length += (part.weight / weights) * rows;
    }
    steps += stage.steps;
    tokens += Math.round(stage.steps * stage.batchSize * config.accumulate * length);
  }
  return { steps, tokens: Number.isFinite(tokens) ? tokens : null };
}

/** Mean tokens of a source's rows; NaN where it is not there and does not say it. */
async function rowLength(part: TrainingConfig['data'][number], lacks: string[]): Promise<number> {
  const source = await there(() => sourceOf(part), lacks);
  if (!source) return typeof part.length === 'number' ? part.length : Number.NaN;
  const rows = Array.from({ length: ROWS }, (_, index) => source.row('train', index).tokens.length);
  return rows.reduce((sum, one) => sum + one, 0) / ROWS;
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
