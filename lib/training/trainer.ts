import * as tf from '@tensorflow/tfjs';
import { toBfloat16Values } from '@/kernels/ops';
import { type Checkpoint, InputError } from '@/lib/checkpoint';
import type { Row } from '@/lib/data/source';
import { createModel, isMatrix, type Model } from '@/lib/models';
import { AdamW, clipFactor, decaysInLanguageModels, globalNorm } from './adamw';
import { type LossWeights, type Stage, stagesOf, type TrainingConfig } from './config';
import { type Evaluation, evaluate } from './evaluate';
import type { Feed } from './feed';
import { type Recomputation, stepGradients } from './gradients';
import type { DataDescription } from './rows';
import { learningRate } from './schedule';
import type { Progress, TrainingState } from './state';

/** What one step did; losses in nats, before the step, null where nothing of the kind was in its rows. */
export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  /** The stage that it is of. */
  readonly stage: string;
  /** The weighted sum that is minimised. */
  readonly loss: number;
  readonly answers: number | null;
  readonly text: number | null;
  readonly gradient_norm: number;
  readonly learning_rate: number;
  /** Tokens that were read, padding included. */
  readonly tokens: number;
}

/** A loss, a gradient or a weight that is no number any more; nothing was changed by the step. */
export class NotFinite extends Error {
  constructor(
    readonly what: 'loss' | 'gradient' | 'weights',
    readonly step: number,
  ) {
    super(`The ${what} of step ${step} is not finite.`);
  }
}

export interface TrainerParts {
  readonly checkpoint: Checkpoint;
  readonly feed: Pick<Feed, 'step' | 'validation'>;
  readonly data: DataDescription;
  /** Told once, in a sentence, that activations are computed again, and why. */
  readonly onNote?: (note: string) => void;
}

/** Share of the memory that is free which activations may take before they are computed again. */
const ACTIVATIONS_SHARE = 0.6;

/** A training run in memory. */
export class Trainer {
  readonly model: Model;
  readonly stages: readonly Stage[];
  readonly #optimizer: AdamW;
  /** What is trained: the model's own variables, or what they are rounded from. */
  readonly #masters: ReadonlyMap<string, tf.Variable>;
  #average: ReadonlyMap<string, Float32Array> | undefined;
  #progress: Progress;
  readonly #memory: Recomputation;
  #noted = false;
  #waited = 0;
  #validation: { readonly stage: number; readonly rows: Promise<Row[]> } | undefined;

  constructor(
    private readonly config: TrainingConfig,
    private readonly parts: TrainerParts,
  ) {
    const { optimizer: settings, precision, ema, recompute } = config;
    this.stages = stagesOf(config);
    this.model = createModel(parts.checkpoint);
    this.#masters = precision === 'bf16' ? copies(this.model.parameters) : this.model.parameters;
    const decays = settings.weight_decay_on === 'all' ? () => true : decaysInLanguageModels;
    const { epsilon, betas, weight_decay: weightDecay } = settings;
    this.#optimizer = new AdamW(this.#masters, { betas, epsilon, weightDecay, decays });
    this.#average = ema && valuesOf(this.#masters);
    this.#progress = { step: 0, stage: 0, stageStep: 0, place: parts.data.start };
    this.#memory = { when: recompute, limit: ACTIVATIONS_SHARE * process.availableMemory() };
    this.#refresh();
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** Seconds so far in which steps waited for their rows. */
  get waited(): number {
    return this.#waited;
  }

  /** The stage that the next step is of; undefined when all are done. */
  get stage(): Stage | undefined {
    return this.stages[this.#progress.stage];
  }

  /** Steps of all stages, where none ends before its limit. */
  get mostSteps(): number {
    return this.stages.reduce((sum, { steps }) => sum + steps, 0);
  }

  /** @throws NotFinite with nothing changed */
  async step(): Promise<StepReport> {
    const stage = this.stage;
    if (!stage) throw new Error('All stages are done.');
    const { step, stage: index, stageStep, place } = this.#progress;
    const asked = performance.now();
    const rows = await this.parts.feed.step(index, place);
    this.#waited += (performance.now() - asked) / 1000;
    void this.#validationRows(index);
    const weights = stage.data.map(({ loss }): LossWeights => loss ?? stage.loss);
    const { loss, answers, text, gradients, recomputed } = stepGradients(
      this.model,
      rows.batches,
      weights,
      this.#memory,
    );
    if (recomputed) this.#note();
    const rate = learningRate(stage.schedule, stageStep);
    let norm: number;
    try {
      if (!Number.isFinite(loss)) throw new NotFinite('loss', step + 1);
      norm = globalNorm(gradients);
      if (!Number.isFinite(norm)) throw new NotFinite('gradient', step + 1);
      const limit = this.config.optimizer.clip_norm ?? Number.POSITIVE_INFINITY;
      this.#optimizer.step(gradients, rate, clipFactor(norm, limit));
    } finally {
      tf.dispose([...gradients.values()]);
    }
    this.#refresh();
    this.#follow();
    this.#progress = { step: step + 1, stage: index, stageStep: stageStep + 1, place: rows.place };
    const tokens = rows.batches.reduce((sum, { B, L }) => sum + B * L, 0);
    return {
      step: step + 1,
      stage: stage.name,
      loss,
      answers,
      text,
      gradient_norm: norm,
      learning_rate: rate,
      tokens,
    };
  }

  /** The next step is of the next stage. */
  endStage(): void {
    this.#progress = { ...this.#progress, stage: this.#progress.stage + 1, stageStep: 0 };
  }

  /** What would be saved now, on validation rows of the stage; of the last one where all are done. */
  async evaluate(): Promise<Evaluation> {
    const stage = Math.min(this.#progress.stage, this.stages.length - 1);
    const rows = await this.#validationRows(stage);
    if (this.#masters === this.model.parameters && !this.#average) return evaluate(this.model, rows);
    const own = valuesOf(this.model.parameters);
    assign(this.model.parameters, this.weights());
    try {
      return evaluate(this.model, rows);
    } finally {
      assign(this.model.parameters, own);
    }
  }

  /** The validation rows of a stage, which are read once, beside its first step. */
  #validationRows(stage: number): Promise<Row[]> {
    if (this.#validation?.stage === stage) return this.#validation.rows;
    const rows = this.parts.feed.validation(stage, this.config.evaluation_examples);
    // The evaluation hears of a fault, not the step.
    rows.catch(() => undefined);
    this.#validation = { stage, rows };
    return rows;
  }

  /** The weights of the checkpoint: the moving average where there is one. */
  weights(): ReadonlyMap<string, Float32Array> {
    return this.#average ?? valuesOf(this.#masters);
  }

  state(): TrainingState {
    return {
      progress: this.#progress,
      optimizer: this.#optimizer.state,
      parameters: valuesOf(this.#masters),
      average: this.#average,
    };
  }

  restore({ progress, optimizer, parameters, average }: TrainingState): void {
    for (const [name, { size }] of this.#masters)
      if (parameters.get(name)?.length !== size)
        throw new InputError(`The training state does not fit: ${name} is missing or of another size.`);
    assign(this.#masters, parameters);
    this.#optimizer.restore(optimizer);
    this.#average = average;
    this.#progress = progress;
    this.#refresh();
  }

  dispose(): void {
    this.model.dispose();
    if (this.#masters !== this.model.parameters) for (const variable of this.#masters.values()) variable.dispose();
  }

  /** Brings what the model reads up to what was trained. */
  #refresh(): void {
    if (this.#masters === this.model.parameters) return;
    const rounded = [...valuesOf(this.#masters)].map(
      ([name, values]) => [name, isMatrix(name) ? toBfloat16Values(values) : values] as const,
    );
    assign(this.model.parameters, new Map(rounded));
  }

  /** Moves the average towards what was trained. */
  #follow(): void {
    if (!this.#average || !this.config.ema) return;
    const { decay } = this.config.ema;
    for (const [name, values] of valuesOf(this.#masters)) {
      const mean = this.#average.get(name) as Float32Array;
      for (let i = 0; i < mean.length; i++) mean[i] = decay * mean[i] + (1 - decay) * values[i];
    }
  }

  #note(): void {
    if (this.#noted) return;
    this.#noted = true;
    const { bytesPerToken, limit } = this.#memory;
    const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
    const why = bytesPerToken
      ? `a token of a batch would keep ${(bytesPerToken / 1e6).toFixed(2)} MB, and all together may keep ${gigabytes(limit)}`
      : 'as the configuration asks';
    this.parts.onNote?.(`activations are computed again in the backward pass, block by block: ${why}`);
  }
}

const valuesOf = (variables: ReadonlyMap<string, tf.Variable>): Map<string, Float32Array> =>
  new Map([...variables].map(([name, variable]) => [name, Float32Array.from(variable.dataSync())]));

function assign(variables: ReadonlyMap<string, tf.Variable>, values: ReadonlyMap<string, Float32Array>): void {
  for (const [name, variable] of variables)
    tf.tidy(() => variable.assign(tf.tensor(Float32Array.from(values.get(name) ?? []), variable.shape)));
}

const copies = (variables: ReadonlyMap<string, tf.Variable>): Map<string, tf.Variable> =>
  new Map([...variables].map(([name, variable]) => [name, tf.tidy(() => tf.variable(variable.clone()))]));
