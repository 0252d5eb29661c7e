import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint';
import { lessonBatch } from '@/lib/data/batches';
import { retrievalVocabulary, type WordTokenizer, wordTokenizer } from '@/lib/data/word-tokenizer';
import { createModel, type Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { AdamW, clipGlobalNorm, decaysInLanguageModels } from './adamw';
import { modelConfigOf, type TrainingConfig } from './config';
import { INITIAL, initialCheckpoint } from './initialise';
import { batchGradients } from './loss';
import { learningRate } from './schedule';
import type { TrainingState } from './state';

/** What one step did; losses in nats, before the step. */
export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  /** The weighted sum that is minimised. */
  readonly loss: number;
  readonly answers: number;
  readonly text: number;
  readonly gradient_norm: number;
  readonly learning_rate: number;
  readonly tokens: number;
}

/** A training run in memory. */
export interface Trainer {
  readonly model: Model;
  readonly tokenizer: WordTokenizer;
  readonly stepsDone: number;
  step(): StepReport;
  state(): TrainingState;
  restore(state: TrainingState): void;
  dispose(): void;
}

/** Initial weights and data draw from streams of their own, so that two architectures read the same data. */
const DATA_STREAM = 0x5eed;

/** The most sentences of a story at a step: grows linearly over the curriculum. */
function longest({ sentences: [fewest, most], curriculum_steps }: TrainingConfig['data'], step: number): number {
  if (step >= curriculum_steps) return most;
  return fewest + Math.floor(((most - fewest + 1) * step) / curriculum_steps);
}

/** @throws InputError when the model's sizes cannot be used */
export function createTrainer(config: TrainingConfig): Trainer {
  const tokenizer = wordTokenizer(retrievalVocabulary());
  const modelConfig = modelConfigOf(config, tokenizer.words.length);
  const initial = { ...INITIAL, embeddingDeviation: config.embedding_deviation };
  const model = createModel(initialCheckpoint(modelConfig, new Random(config.seed), config.name, initial));
  const { optimizer: settings, data } = config;
  const decays = settings.weight_decay_on === 'all' ? () => true : decaysInLanguageModels;
  const { epsilon, betas, weight_decay: weightDecay } = settings;
  const optimizer = new AdamW(model.parameters, { betas, epsilon, weightDecay, decays });
  const schedule = {
    peak: settings.learning_rate,
    floor: settings.final_learning_rate,
    warmupSteps: settings.warmup_steps,
    steps: config.steps,
    restart: settings.restart && { step: settings.restart.step, peak: settings.restart.learning_rate },
  };
  let random = new Random(config.seed + DATA_STREAM);
  let stepsDone = 0;

  return {
    model,
    tokenizer,
    get stepsDone() {
      return stepsDone;
    },
    step() {
      const sentences = [data.sentences[0], longest(data, stepsDone)] as const;
      const batch = lessonBatch(random, tokenizer, { size: config.batch_size, sentences, questions: data.questions });
      const { answers, text, gradients } = batchGradients(model, batch, config.loss);
      const rate = learningRate(schedule, stepsDone);
      const norm = clipGlobalNorm(gradients, settings.clip_norm);
      if (!Number.isFinite(norm))
        throw new InputError(`The gradient is no longer finite at step ${stepsDone + 1}: lower the learning rate.`);
      optimizer.step(gradients, rate);
      stepsDone += 1;
      const loss = config.loss.answers * answers + config.loss.text * text;
      return {
        step: stepsDone,
        loss,
        answers,
        text,
        gradient_norm: norm,
        learning_rate: rate,
        tokens: batch.B * batch.L,
      };
    },
    state: () => ({
      step: stepsDone,
      random: random.state,
      optimizer: optimizer.state,
      parameters: new Map([...model.parameters].map(([name, variable]) => [name, variable.dataSync() as Float32Array])),
    }),
    restore(state) {
      for (const [name, variable] of model.parameters) {
        const stored = state.parameters.get(name);
        if (stored?.length !== variable.size)
          throw new InputError(
            `The training state does not fit the configuration: ${name} is missing or of another size.`,
          );
        tf.tidy(() => variable.assign(tf.tensor(Float32Array.from(stored), variable.shape)));
      }
      optimizer.restore(state.optimizer);
      random = new Random(state.random);
      stepsDone = state.step;
    },
    dispose: () => model.dispose(),
  };
}
