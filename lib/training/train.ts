import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { InputError, saveCheckpoint } from '@/lib/checkpoint';
import { heldOutExamples } from '@/lib/data/demo-stories';
import { tokenizerJson } from '@/lib/data/word-tokenizer';
import { parseTrainingConfig, type TrainingConfig } from './config';
import { accuracy } from './evaluate';
import { hasTrainingState, loadTrainingState, saveTrainingState } from './state';
import { createTrainer, type StepReport, type Trainer } from './trainer';

/** A line of metrics.jsonl: a step, with the held-out accuracy where it was measured. */
export interface TrainingMetrics extends StepReport {
  readonly steps: number;
  /** Computing time since the first step, pauses between resumed calls left out. */
  readonly seconds: number;
  readonly accuracy?: number;
}

export interface TrainOptions {
  /** Go on from the state in the folder. */
  readonly resume?: boolean;
  /** Called before the first step with the steps that an earlier call has done. */
  readonly onStart?: (done: number) => void;
  /** Called after every logged step. */
  readonly onProgress?: (metrics: TrainingMetrics) => void;
  /** Stops after the current step, with the state saved. */
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  readonly folder: string;
  readonly step: number;
  /** True when all steps are done; false when the signal stopped the run. */
  readonly finished: boolean;
  /** Held-out accuracy of the saved model on stories of every trained size. */
  readonly accuracy: number;
}

const EVALUATION_SEED = 0xe7a1;
const METRICS = 'metrics.jsonl';

const words = new TextEncoder();

/** Saves what `loadCheckpoint` reads and what a resumed run needs. */
async function save(folder: string, config: TrainingConfig, trainer: Trainer): Promise<void> {
  const { parameters, ...state } = trainer.state();
  const tensors = [...trainer.model.parameters].map(
    ([name, { shape }]) => [name, { shape, data: parameters.get(name) as Float32Array }] as const,
  );
  await saveCheckpoint(folder, trainer.model.config, new Map(tensors));
  await writeFile(
    join(folder, 'tokenizer.json'),
    words.encode(`${JSON.stringify(tokenizerJson(trainer.tokenizer.words), null, 1)}\n`),
  );
  await writeFile(join(folder, 'training.json'), `${JSON.stringify(config, null, 2)}\n`);
  await saveTrainingState(folder, { ...state, parameters });
}

/** Drops the lines of steps that a resumed run will do again. @returns the computing time up to there */
async function rewindMetrics(folder: string, step: number): Promise<number> {
  const path = join(folder, METRICS);
  if (!existsSync(path)) return 0;
  // What follows the last line break was cut short when the run was killed.
  const whole = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
  const lines = whole.filter((line) => (JSON.parse(line) as TrainingMetrics).step <= step);
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  return lines.length > 0 ? (JSON.parse(lines[lines.length - 1]) as TrainingMetrics).seconds : 0;
}

/** Makes the folder ready and, where asked, the trainer go on. @returns the computing time so far */
async function prepare(folder: string, trainer: Trainer, resume: boolean): Promise<number> {
  if (!resume && hasTrainingState(folder))
    throw new InputError(`${folder} already holds a training run: give --resume or another folder.`);
  // A run that was killed before its first checkpoint has left metrics alone: it goes on from its beginning.
  const begun = hasTrainingState(folder) || !existsSync(join(folder, METRICS));
  if (resume && begun) trainer.restore(await loadTrainingState(folder));
  await mkdir(folder, { recursive: true });
  return rewindMetrics(folder, trainer.stepsDone);
}

/**
 * Trains a model on the current device and leaves a checkpoint folder with tokenizer, `metrics.jsonl`, the configuration
 * and the state to resume from. The same configuration on the same device gives the same weights, resumed or not.
 * @param json what `trainingSchema` describes
 * @throws InputError for a configuration, folder or state that cannot be used
 */
export async function trainFromConfig(json: unknown, folder: string, options: TrainOptions = {}): Promise<TrainResult> {
  const config = parseTrainingConfig(json);
  const trainer = createTrainer(config);
  try {
    const before = await prepare(folder, trainer, options.resume ?? false);
    options.onStart?.(trainer.stepsDone);
    const heldOut = heldOutExamples(EVALUATION_SEED, config.evaluation_examples, config.data.sentences);
    const measure = () => accuracy(trainer.model, trainer.tokenizer, heldOut);
    const started = performance.now();
    const { steps } = config;
    while (trainer.stepsDone < steps && !options.signal?.aborted) {
      const report = trainer.step();
      const due = (every: number) => report.step % every === 0 || report.step === steps;
      if (due(config.log_every) || due(config.evaluate_every)) {
        const measured = due(config.evaluate_every) ? { accuracy: measure() } : {};
        const metrics = { ...report, steps, seconds: before + (performance.now() - started) / 1000, ...measured };
        await appendFile(join(folder, METRICS), `${JSON.stringify(metrics)}\n`);
        options.onProgress?.(metrics);
      }
      if (due(config.checkpoint_every)) await save(folder, config, trainer);
      await setImmediate();
    }
    await save(folder, config, trainer);
    return { folder, step: trainer.stepsDone, finished: trainer.stepsDone >= steps, accuracy: measure() };
  } finally {
    trainer.dispose();
  }
}
