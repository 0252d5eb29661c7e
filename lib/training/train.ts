import { existsSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Checkpoint, InputError, loadCheckpoint, resolveModel, saveCheckpoint } from '@/lib/checkpoint';
import { writeAtomically } from '@/lib/checkpoint/files';
import { projectRoot } from '@/lib/project-root';
import { readable } from '@/lib/readable';
import { type Beginning, beginningOf, withData } from './begin';
import { parseTrainingConfig, type TrainingConfig } from './config';
import type { Evaluation } from './evaluate';
import { Feed } from './feed';
import { lambdasOf } from './lambda';
import { METRICS, readMetrics, type TrainingMetrics } from './metrics';
import { recipeOf } from './recipe';
import { hasTrainingState, loadTrainingState, saveTrainingState } from './state';
import { NotFinite, type StepReport, Trainer } from './trainer';

export interface TrainOptions {
  /** Go on from the state in the folder. */
  readonly resume?: boolean;
  /** Called before the first step with the steps that an earlier call has done. */
  readonly onStart?: (done: number) => void;
  /** Called after every logged step. */
  readonly onProgress?: (metrics: TrainingMetrics) => void;
  /** Told what a reader of the run should know, a sentence at a time. */
  readonly onNote?: (note: string) => void;
  /** Stops after the current step, with the state saved. */
  readonly signal?: AbortSignal;
  /** Reads the checkpoint that `from` names, and its tokenizer; by default a folder or a name that `models` lists. */
  readonly openCheckpoint?: (checkpoint: string, tokenizer?: string) => Promise<Checkpoint>;
}

export interface TrainResult {
  readonly folder: string;
  readonly step: number;
  /** True when all stages are done; false when the signal stopped the run. */
  readonly finished: boolean;
  /** Of the saved model. */
  readonly evaluation: Evaluation;
}

const CONFIG = 'training.json';

const bytes = (text: string) => [new TextEncoder().encode(text)];

const openListed = async (checkpoint: string, tokenizer?: string): Promise<Checkpoint> => {
  const { path, name } = await resolveModel(checkpoint);
  return readable(await loadCheckpoint(path, name), projectRoot(), { tokenizer });
};

/**
 * Trains a model on the current device and leaves a checkpoint folder with tokenizer, `metrics.jsonl`, the configuration
 * and the state to resume from. The same configuration on the same device gives the same weights and metrics, resumed or not.
 * @param json what `trainingSchema` describes
 * @throws InputError for a configuration, data, folder or state that cannot be used, and where the loss is no number any more
 */
export async function trainFromConfig(json: unknown, folder: string, options: TrainOptions = {}): Promise<TrainResult> {
  const config = parseTrainingConfig(json);
  const isBegun = await checkFolder(folder, config, options.resume ?? false);
  const { feed, description } = await Feed.open(recipeOf(config));
  try {
    const beginning = isBegun
      ? await withData(await loadCheckpoint(folder, config.name), description)
      : await beginningOf(config, description, options.openCheckpoint ?? openListed);
    const trainer = new Trainer(config, { ...beginning, feed, data: description, onNote: options.onNote });
    try {
      if (isBegun) trainer.restore(await loadTrainingState(folder));
      await mkdir(folder, { recursive: true });
      await writeAtomically(join(folder, CONFIG), bytes(`${JSON.stringify(config, null, 2)}\n`));
      return await new Run(folder, config, trainer, beginning, options).toTheEnd();
    } finally {
      trainer.dispose();
    }
  } finally {
    await feed.close();
  }
}

/**
 * Whether the folder holds a state to go on from.
 * @throws InputError where a run would be overwritten, or gone on with by another configuration
 */
async function checkFolder(folder: string, config: TrainingConfig, resume: boolean): Promise<boolean> {
  const isBegun = hasTrainingState(folder);
  if (!resume) {
    if (isBegun) throw new InputError(`${folder} already holds a training run: give --resume or another folder.`);
    return false;
  }
  const path = join(folder, CONFIG);
  // A run that was killed before its first checkpoint goes on from its beginning.
  if (!isBegun && !existsSync(path) && !existsSync(join(folder, METRICS)))
    throw new InputError(`${folder} holds no training run to resume: start without --resume.`);
  const stored = existsSync(path) ? JSON.parse(await readFile(path, 'utf8')) : config;
  const field = differenceOf(stored, JSON.parse(JSON.stringify(config)));
  if (field)
    throw new InputError(
      `The run in ${folder} does not fit the configuration: ${field} differs from its ${CONFIG}; train into another folder.`,
    );
  return isBegun;
}

/** The first field that differs between two values of JSON; undefined where they are the same. */
function differenceOf(a: unknown, b: unknown, path = ''): string | undefined {
  if (a === b) return undefined;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return path;
  const [one, other] = [a, b] as Record<string, unknown>[];
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const found = differenceOf(one[key], other[key], path ? `${path}.${key}` : key);
    if (found) return found;
  }
  return undefined;
}

/** The loop of a run: steps, measures, and what is written of them. */
class Run {
  /** Of earlier calls. */
  #before = { seconds: 0, processor_seconds: 0 };
  readonly #started = performance.now();
  readonly #usage = process.cpuUsage();
  #tokens = 0;
  /** Seconds of evaluations. */
  #evaluated = 0;
  readonly #stepsBefore: number;
  #saved: number | undefined;

  constructor(
    private readonly folder: string,
    private readonly config: TrainingConfig,
    private readonly trainer: Trainer,
    private readonly beginning: Beginning,
    private readonly options: TrainOptions,
  ) {
    this.#stepsBefore = trainer.progress.step;
    if (this.#stepsBefore > 0) this.#saved = this.#stepsBefore;
  }

  async toTheEnd(): Promise<TrainResult> {
    const { trainer, options, folder } = this;
    this.#before = await rewindMetrics(folder, this.#stepsBefore);
    options.onStart?.(this.#stepsBefore);
    let evaluation: Evaluation | undefined;
    try {
      while (trainer.stage && !options.signal?.aborted) {
        evaluation = await this.#step();
        await setImmediate();
      }
      await this.#save();
    } catch (error) {
      throw error instanceof NotFinite ? this.#explained(error) : error;
    }
    const { step } = trainer.progress;
    return { folder, step, finished: !trainer.stage, evaluation: evaluation ?? (await trainer.evaluate()) };
  }

  /** One step with all that is due after it. @returns the evaluation, where there was one */
  async #step(): Promise<Evaluation | undefined> {
    const { trainer, config } = this;
    const report = await trainer.step();
    this.#tokens += report.tokens;
    const { steps, until } = trainer.stage as NonNullable<Trainer['stage']>;
    const isLast = trainer.progress.stageStep >= steps;
    const due = (every: number) => report.step % every === 0 || isLast;
    const evaluation = due(config.evaluate_every) ? await this.#evaluate() : undefined;
    const isReached = until && evaluation && reaches(evaluation, until.accuracy);
    const ended = isReached ? 'accuracy' : isLast ? 'steps' : undefined;
    if (due(config.log_every) || evaluation) await this.#log(report, evaluation, ended);
    if (ended) trainer.endStage();
    if (report.step % config.checkpoint_every === 0) await this.#save();
    return evaluation;
  }

  async #evaluate(): Promise<Evaluation> {
    const started = performance.now();
    const evaluation = await this.trainer.evaluate();
    this.#evaluated += (performance.now() - started) / 1000;
    return evaluation;
  }

  async #log(report: StepReport, evaluation?: Evaluation, ended?: TrainingMetrics['stage_end']): Promise<void> {
    const { trainer } = this;
    const elapsed = (performance.now() - this.#started) / 1000;
    const { user, system } = process.cpuUsage(this.#usage);
    const steps = trainer.mostSteps;
    const stepsHere = report.step - this.#stepsBefore;
    const skipped = trainer.stages.slice(0, trainer.progress.stage + 1).reduce((sum, stage) => sum + stage.steps, 0);
    const inStage = (trainer.stage?.steps ?? 0) - trainer.progress.stageStep;
    const ahead = (ended ? 0 : inStage) + steps - skipped;
    const metrics: TrainingMetrics = {
      ...report,
      steps,
      lambda: lambdasOf(trainer.model),
      ...(evaluation && { evaluation }),
      ...(ended && { stage_end: ended }),
      time: {
        seconds: this.#before.seconds + elapsed,
        processor_seconds: this.#before.processor_seconds + (user + system) / 1e6,
        tokens_per_second: this.#tokens / elapsed,
        waiting: trainer.waited / elapsed,
        evaluating: this.#evaluated / elapsed,
        left: (elapsed / stepsHere) * ahead,
      },
    };
    await append(join(this.folder, METRICS), `${JSON.stringify(metrics)}\n`);
    this.options.onProgress?.(metrics);
  }

  /** Saves what `loadCheckpoint` reads and, last, what a resumed run needs. @throws NotFinite with nothing written */
  async #save(): Promise<void> {
    const { folder, trainer, beginning } = this;
    const { step } = trainer.progress;
    if (this.#saved === step) return;
    const weights = trainer.weights();
    for (const values of weights.values()) if (!values.every(Number.isFinite)) throw new NotFinite('weights', step);
    const tensors = [...trainer.model.parameters].map(
      ([name, { shape }]) => [name, { shape, data: weights.get(name) as Float32Array }] as const,
    );
    await saveCheckpoint(folder, trainer.model.config, new Map(tensors));
    if (beginning.tokenizer) await writeAtomically(join(folder, 'tokenizer.json'), bytes(beginning.tokenizer));
    await saveTrainingState(folder, trainer.state());
    this.#saved = step;
  }

  #explained({ what, step }: NotFinite): InputError {
    const last = this.#saved
      ? `the last good checkpoint, that of step ${this.#saved}, is in ${this.folder}`
      : 'there is no checkpoint before it';
    return new InputError(
      `The ${what} of step ${step} is not finite; ${last}. Lower the learning rate, warm up for longer, or clip the gradient.`,
    );
  }
}

function reaches({ accuracy, labels }: Evaluation, wanted: number | Readonly<Record<string, number>>): boolean {
  if (typeof wanted === 'number') return accuracy !== null && accuracy >= wanted;
  const unknown = Object.keys(wanted).find((label) => !labels[label]);
  if (unknown)
    throw new InputError(
      `A stage is to end by the accuracy of "${unknown}", which no answer of its validation rows is: there are ${Object.keys(labels).join(', ') || 'none'}.`,
    );
  return Object.entries(wanted).every(([label, least]) => labels[label].accuracy >= least);
}

/** Adds a line that is on the disk when this returns. */
async function append(path: string, line: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    await file.appendFile(line);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Drops the lines of steps that a resumed run will do again. @returns the computing time up to there */
async function rewindMetrics(folder: string, step: number): Promise<{ seconds: number; processor_seconds: number }> {
  const path = join(folder, METRICS);
  if (!existsSync(path)) return { seconds: 0, processor_seconds: 0 };
  const kept = (await readMetrics(folder)).filter((metrics) => metrics.step <= step);
  await writeAtomically(path, bytes(kept.map((metrics) => `${JSON.stringify(metrics)}\n`).join('')));
  const { seconds = 0, processor_seconds = 0 } = kept.at(-1)?.time ?? {};
  return { seconds, processor_seconds };
}
