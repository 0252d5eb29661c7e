import { z } from 'zod';
import { LensKindSchema, SpanSchema } from './schemas';

/** What travels for analyses beyond maps and curves: logits taken apart, and SNR over batches. */

const count = z.number().int().nonnegative();
const queryCount = z.coerce.number().int().nonnegative();

export const AttributionQuerySchema = z.object({
  model: queryCount.default(0),
  target: queryCount.optional().meta({ description: "Token id; default: the run's target." }),
  position: z.coerce.number().int().min(-1).optional().meta({ description: "Default: the run's position." }),
});
export type AttributionQuery = Partial<z.output<typeof AttributionQuerySchema>>;

export const AttributionSchema = z.object({
  target: count,
  position: count,
  logit: z.number(),
  components: z.array(
    z.object({
      block: z.number().int().min(-1).meta({ description: '−1 for the embedding.' }),
      part: z.enum(['embedding', 'mixer', 'branch_1', 'minus_lambda_branch_2', 'bias']),
      contribution: z.number(),
    }),
  ),
  blocks: z.array(z.number()).meta({ description: 'What each block adds as a whole.' }),
  convention: z.string(),
  reconstruction_error: z.number().meta({ description: '|logit − sum of the contributions| as a share of the logit.' }),
});
export type AttributionReply = z.infer<typeof AttributionSchema>;

export const SnrMetricSchema = z.enum([
  'target_prob',
  'target_logprob',
  'log_odds',
  'snr_vocab',
  'snr_candidates',
  'attention_snr',
]);

export const SnrExampleSchema = z.object({
  prompt: z.string().min(1),
  target: z.string().min(1).meta({ description: 'The answer; its first token is the target.' }),
  needle: SpanSchema.optional().meta({ description: 'Characters of the prompt (UTF-16) that hold the answer.' }),
  candidates: z.array(z.string().min(1)).max(100).optional(),
});

export const SnrRequestSchema = z.object({
  models: z.array(z.string().min(1).max(300)).min(1).max(2).meta({ description: 'One model, or two to compare.' }),
  examples: z.array(SnrExampleSchema).min(1).max(256),
  metrics: z.array(SnrMetricSchema).min(1).optional().meta({ description: 'Default: all that the examples allow.' }),
  lens: LensKindSchema.default('logit'),
  resamples: z.number().int().min(1).max(20_000).default(2000).meta({ description: 'Of the bootstrap.' }),
  seed: count.default(42).meta({ description: 'Equal seeds give equal intervals.' }),
});
export type SnrRequest = z.infer<typeof SnrRequestSchema>;
export type SnrRequestInput = z.input<typeof SnrRequestSchema>;

const number = z.number().nullable().meta({ description: 'Null where it is not defined.' });

const EstimateSchema = z.object({
  entry: z.string(),
  metric: SnrMetricSchema,
  mean: number,
  stderr: number,
  low: number,
  high: number,
  n: count,
});

export const SnrReplySchema = z.object({
  lens: LensKindSchema,
  examples: count,
  models: z.array(z.object({ model: z.string(), rows: z.array(EstimateSchema) })),
  difference: z
    .array(EstimateSchema.extend({ p: number }))
    .nullable()
    .meta({ description: 'Second model minus first, paired by example; null for one model.' }),
});
export type SnrReply = z.infer<typeof SnrReplySchema>;
