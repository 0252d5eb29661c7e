import { z } from 'zod';
import { InputError, type ModelConfig } from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';
import { CONVERSION_KINDS, CONVERSION_LAYOUTS } from '@/lib/conversion';
import { type SourceConfig, sourceSchema } from '@/lib/data/sources';

const count = z.int().min(1);
const positive = z.number().positive();
const notNegative = z.number().min(0);
const share = z.number().min(0).max(1);

/** Weights of the mean cross-entropies: of the answers alone, and of every next token. */
const lossFields = { answers: notNegative, text: notNegative };

/** A source in a mixture: how often its rows come, relative to the others, and what they weigh in the loss. */
const partFields = z.looseObject({ weight: positive.default(1), loss: z.strictObject(lossFields).optional() });

export type DataPart = SourceConfig & z.infer<typeof partFields>;

const partSchema = partFields.transform(({ weight, loss, ...fields }, context): DataPart => {
  const parsed = sourceSchema.safeParse(fields);
  if (parsed.success) return { ...parsed.data, weight, ...(loss && { loss }) };
  for (const { path, message } of parsed.error.issues) context.addIssue({ code: 'custom', path, message });
  return z.NEVER;
});

/** One source, or several that are mixed. */
const dataSchema = z.preprocess(
  (given) => (Array.isArray(given) ? given : [given]),
  z.array(partSchema).min(1, 'at least one source is needed'),
);

const restart = z.strictObject({ step: count, learning_rate: positive });

/** A learning rate over the steps of a stage. */
const schedule = { learning_rate: positive, final_learning_rate: notNegative, warmup_steps: z.int().min(0), restart };

const until = z.strictObject({
  /** Of every answer, or by label; all that are named must be reached in one evaluation. */
  accuracy: z.union([share, z.record(z.string(), share)]),
});

export const stageSchema = z.strictObject({
  name: z.string().min(1).optional(),
  data: dataSchema.optional(),
  /** Steps of this stage, at most where `until` is given. */
  steps: count,
  until: until.optional(),
  batch_size: count.optional(),
  loss: z.strictObject(lossFields).optional(),
  optimizer: z.strictObject(schedule).partial().optional(),
});

const fromSchema = z.strictObject({
  /** A folder, or a name that `statescope models` lists. */
  checkpoint: z.string().min(1),
  /** In place of the checkpoint's own, or where it has none: as `--tokenizer` names it. */
  tokenizer: z.string().min(1).optional(),
  convert: z
    .strictObject({
      to: z.enum(CONVERSION_KINDS),
      pattern: z.union([z.enum(['all', 'quarter', 'alternate']), z.array(z.int().min(0)).min(1)]).default('all'),
      layout: z.enum(CONVERSION_LAYOUTS).default('aware'),
    })
    .optional(),
});

/** What `statescope train --config` reads. */
export const trainingSchema = z
  .strictObject({
    name: z.string().min(1).default('model'),
    /** Of the initial weights and of the data, which do not depend on each other. */
    seed: z.int().default(0),
    /** A fresh model: the fields of Statescope's own config.json; `model_type` and, unless given, `vocab_size` are filled in. */
    model: z.record(z.string(), z.unknown()).optional(),
    /** A trained model to begin with. */
    from: fromSchema.optional(),
    /** Standard deviation of a fresh embedding: 0.02 in mamba_ssm, 0.1 in the Hugging Face classes. */
    embedding_deviation: positive.optional(),
    /** Of the vectors of λ that are drawn; the published draws are N(0, 1). */
    lambda_start: z.strictObject({ mean: z.number().default(0), deviation: notNegative.default(1) }).optional(),
    /** −A of the heads of Mamba-2 is drawn uniformly from here; published is [1, 16] (`A_init_range` of mamba_ssm). */
    decay_start: z
      .tuple([positive, positive])
      .refine(([low, high]) => low <= high, 'the first number must not be above the second')
      .optional(),
    data: dataSchema.prefault({ source: 'retrieval' }),
    steps: count.optional(),
    stages: z.array(stageSchema).min(1).optional(),
    batch_size: count.default(32),
    accumulate: count.default(1),
    recompute: z.union([z.boolean(), z.literal('auto')]).default('auto'),
    precision: z.enum(['float32', 'bf16']).default('float32'),
    ema: z.strictObject({ decay: z.number().gt(0).lt(1) }).optional(),
    optimizer: z
      .strictObject({
        learning_rate: schedule.learning_rate.default(3e-3),
        final_learning_rate: schedule.final_learning_rate.default(3e-5),
        warmup_steps: schedule.warmup_steps.default(100),
        restart: restart.optional(),
        betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
        epsilon: positive.default(1e-8),
        weight_decay: notNegative.default(0.1),
        /** `language_model`: not A_log, D, dt_bias, biases, block norms; `all`: every parameter. */
        weight_decay_on: z.enum(['language_model', 'all']).default('language_model'),
        /** Null clips nothing. */
        clip_norm: positive.nullable().default(1),
      })
      .prefault({}),
    loss: z
      .strictObject({ answers: lossFields.answers.default(1), text: lossFields.text.default(0.1) })
      .prefault({})
      .refine(({ answers, text }) => answers + text > 0, 'one of the two weights must be above 0'),
    log_every: count.default(20),
    checkpoint_every: count.default(200),
    evaluate_every: count.default(200),
    /** Validation rows of each evaluation. */
    evaluation_examples: count.default(512),
  })
  .superRefine(({ model, from, embedding_deviation, decay_start, lambda_start, steps, stages }, context) => {
    const fault = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (!model && !from) fault('model', 'give the sizes of a fresh model here, or a checkpoint as from');
    if (model && from) fault('from', 'a run begins with a fresh model or with a checkpoint, not with both');
    if (from && embedding_deviation) fault('embedding_deviation', 'the embedding of a checkpoint is not drawn');
    if (from && decay_start) fault('decay_start', 'the decays of a checkpoint are not drawn');
    if (from && !from.convert && lambda_start) fault('lambda_start', 'no λ is drawn, as nothing is converted');
    if (!steps && !stages) fault('steps', 'say how many, or give stages');
    if (steps && stages) fault('steps', 'stages have their own');
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

/** A stage with everything that it leaves to the fields of the whole run. */
export interface Stage {
  readonly name: string;
  readonly data: readonly DataPart[];
  readonly steps: number;
  readonly until?: z.infer<typeof until>;
  readonly batchSize: number;
  readonly loss: LossWeights;
  readonly schedule: {
    readonly peak: number;
    readonly floor: number;
    readonly warmupSteps: number;
    readonly steps: number;
    readonly restart?: { readonly step: number; readonly peak: number };
  };
}

export interface LossWeights {
  readonly answers: number;
  readonly text: number;
}

/** The stages of a run in order: one where the file has none. */
export function stagesOf(config: TrainingConfig): Stage[] {
  const given = config.stages ?? [{ steps: config.steps as number }];
  return given.map((stage, index) => {
    const { data = config.data, batch_size: batchSize = config.batch_size, loss = config.loss, steps } = stage;
    const { learning_rate, final_learning_rate, warmup_steps, restart } = { ...config.optimizer, ...stage.optimizer };
    return {
      name: stage.name ?? `stage ${index + 1}`,
      data,
      steps,
      until: stage.until,
      batchSize,
      loss,
      schedule: {
        peak: learning_rate,
        floor: final_learning_rate,
        warmupSteps: warmup_steps,
        steps,
        restart: restart && { step: restart.step, peak: restart.learning_rate },
      },
    };
  });
}

/** The fresh model that a configuration asks for. @throws InputError as the reader of config.json does */
export function modelConfigOf({ model = {} }: Pick<TrainingConfig, 'model'>, vocabularySize: number): ModelConfig {
  const json = { vocab_size: vocabularySize, ...model, model_type: 'statescope' };
  const config = parseConfig(json, new Map(), 'model');
  if (config.V >= vocabularySize) return config;
  throw new InputError(
    `The model has vocab_size ${config.V} and its data ${vocabularySize} tokens: raise it, or leave it out.`,
  );
}
