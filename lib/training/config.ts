import { z } from 'zod';
import { InputError, type ModelConfig } from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';

const count = z.int().min(1);
const positive = z.number().positive();

const sentenceRange = z
  .tuple([count, count])
  .refine(([fewest, most]) => fewest <= most, 'the first number must not be above the second');

/** What `statescope train --config` reads. Every field but `model` and `steps` has a default. */
export const trainingSchema = z.strictObject({
  name: z.string().min(1).default('model'),
  /** Of the initial weights and of the data, which do not depend on each other. */
  seed: z.int().default(0),
  /** The fields of Statescope's own config.json; `model_type` and `vocab_size` are filled in. */
  model: z.record(z.string(), z.unknown()),
  data: z
    .strictObject({
      task: z.literal('retrieval').default('retrieval'),
      /** Fewest and most sentences of a story. */
      sentences: sentenceRange.default([2, 7]),
      /** Questions a training story, at most. */
      questions: count.default(3),
      /** Stories start with the fewest sentences and reach the most after this many steps. */
      curriculum_steps: z.int().min(0).default(0),
    })
    .prefault({}),
  /** Standard deviation of the initial embedding: 0.02 in mamba_ssm, 0.1 in the Hugging Face classes. */
  embedding_deviation: positive.default(0.02),
  steps: count,
  batch_size: count.default(32),
  optimizer: z
    .strictObject({
      learning_rate: positive.default(3e-3),
      final_learning_rate: z.number().min(0).default(3e-5),
      warmup_steps: z.int().min(0).default(100),
      /** A second cosine that starts at this step from this rate; the first has reached its end by then. */
      restart: z.strictObject({ step: count, learning_rate: positive }).optional(),
      betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
      epsilon: positive.default(1e-8),
      weight_decay: z.number().min(0).default(0.1),
      /** `language_model`: not A_log, D, dt_bias, biases, block norms; `all`: every parameter. */
      weight_decay_on: z.enum(['language_model', 'all']).default('language_model'),
      clip_norm: positive.default(1),
    })
    .prefault({}),
  /** Weights of the mean cross-entropies: of the answers alone, and of every token. */
  loss: z.strictObject({ answers: z.number().min(0).default(1), text: z.number().min(0).default(0.1) }).prefault({}),
  log_every: count.default(20),
  checkpoint_every: count.default(200),
  evaluate_every: count.default(200),
  evaluation_examples: count.default(512),
});

export type TrainingConfig = z.infer<typeof trainingSchema>;

/** @throws InputError: one sentence that names the first field that cannot be used. */
export function parseTrainingConfig(json: unknown): TrainingConfig {
  const parsed = trainingSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue.path.length > 0 ? `field ${issue.path.join('.')}` : 'the file';
  throw new InputError(`The training configuration cannot be used: ${where}: ${issue.message}.`);
}

/** The model that a configuration asks for. @throws InputError as the reader of config.json does */
export function modelConfigOf(config: TrainingConfig, vocabularySize: number): ModelConfig {
  const json = { ...config.model, model_type: 'statescope', vocab_size: vocabularySize };
  return parseConfig(json, new Map(), 'model');
}
