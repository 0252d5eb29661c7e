import { z } from 'zod';
import { INTERVALS_OVER, intervalsOf, METRIC_NAMES, noSuchField, SIGNAL_METRICS } from '@/lib/vocabulary';
import { LensKindSchema, SpanSchema } from './schemas';

/** What travels for analyses beyond maps and curves: logits taken apart, and SNR over batches. */

const count = z.number().int().nonnegative();

export const SnrMetricSchema = z.enum(SIGNAL_METRICS);

const answer = z.union([z.string().min(1), count], 'an answer is a word or a token id');

export const SnrExampleSchema = z
  .strictObject(
    {
      prompt: z.string().min(1).optional(),
      tokens: z.array(count).min(1).optional().meta({ description: 'Token ids in place of a prompt.' }),
      context: z
        .string()
        .optional()
        .meta({ description: "With a question: becomes the prompt of the paper's script." }),
      question: z.string().optional(),
      target: answer.optional().meta({ description: 'The answer; its first token is the target.' }),
      answer: answer.optional().meta({ description: 'Another word for the target.' }),
      needle: SpanSchema.optional().meta({
        description:
          'What holds the answer: UTF-16 characters of a prompt, tokens of `tokens`, unless `unit` says otherwise.',
      }),
      unit: z.enum(['characters', 'tokens']).optional(),
      foil: answer.optional().meta({ description: 'A wrong answer, where logits are differences to it.' }),
      candidates: z.array(answer).max(100).optional(),
      classes: z
        .object({
          competing: z.array(SpanSchema).max(1000).optional().meta({ description: 'What names another answer.' }),
          question: z.array(SpanSchema).max(1000).optional().meta({ description: 'The question.' }),
        })
        .strict()
        .optional()
        .meta({ description: 'What else is what, as spans like the needle’s.' }),
      position: count.optional().meta({ description: 'Token to read at; default the last.' }),
      corrupted: z
        .union([z.string().min(1), z.array(count).min(1)])
        .optional()
        .meta({ description: 'The prompt, or its token ids, that patching holds it against.' }),
    },
    { error: noSuchField },
  )
  .meta({ description: 'One example, as a line of the command line’s file.' });
export type SnrExampleInput = z.input<typeof SnrExampleSchema>;

export const ExamplesSchema = z
  .union(
    [z.array(SnrExampleSchema).min(1).max(1000), z.string().regex(/^demo:([1-9]\d{0,2}|1000)$/)],
    'examples are 1 to 1000 objects, or demo:n with n from 1 to 1000',
  )
  .meta({ description: 'Up to 1000 examples, or `demo:n`: n held-out stories of the demo task with known needles.' });

export const SnrRequestSchema = z.object({
  models: z.array(z.string().min(1).max(300)).min(1).max(2).meta({ description: 'One model, or two to compare.' }),
  examples: ExamplesSchema,
  metrics: z.array(z.enum(METRIC_NAMES)).min(1).optional().meta({
    description:
      'Default: all that the examples allow. `log_odds` is the former name of `margin`, taken in this version only.',
  }),
  lens: LensKindSchema.default('logit'),
  resamples: z.number().int().min(1).max(20_000).default(2000).meta({ description: 'Of the bootstrap.' }),
  seed: count.default(42).meta({ description: 'Of the bootstrap and of stories; equal seeds give equal numbers.' }),
});
export type SnrRequest = z.infer<typeof SnrRequestSchema>;
export type SnrRequestInput = z.input<typeof SnrRequestSchema>;

/** The same as one kind of analysis. */
export const SnrTaskSchema = z.object({ kind: z.literal('snr'), ...SnrRequestSchema.shape });
export type SnrTask = z.output<typeof SnrTaskSchema>;

const number = z.number().nullable().meta({ description: 'Null where it is not defined.' });

/** Absent in results from before it was said, which were of this kind. */
export const IntervalsSchema = z
  .object({ level: z.number(), over: z.enum(INTERVALS_OVER) })
  .default(intervalsOf([1]))
  .meta({ description: 'What the intervals cover: other prompts, and other training seeds only where it says so.' });

export const SnrEstimateSchema = z.object({
  entry: z.string(),
  metric: SnrMetricSchema,
  mean: number,
  stderr: number,
  low: number,
  high: number,
  n: count,
});

export type SnrEstimate = z.infer<typeof SnrEstimateSchema>;

export const SnrDifferenceSchema = SnrEstimateSchema.extend({ p: number });
export type SnrDifference = z.infer<typeof SnrDifferenceSchema>;

export const SnrResultSchema = z.object({
  kind: z.literal('snr'),
  lens: LensKindSchema,
  examples: count,
  models: z
    .array(
      z.object({
        model: z.string(),
        rows: z.array(SnrEstimateSchema),
        answer_logprob: z
          .object({ mean: number, stderr: number, low: number, high: number, n: count })
          .optional()
          .meta({ description: 'ln p of the whole answer, where some answers have several tokens.' }),
      }),
    )
    .meta({ description: 'Models that are finished, in the order of the request.' }),
  difference: z.array(SnrDifferenceSchema).nullable().meta({
    description:
      'Second model minus first, paired by example; null for one model. Margins only in standard deviations (`margin_std`): logits of two models have no common unit.',
  }),
  intervals: IntervalsSchema,
  notes: z.array(z.string()).meta({ description: 'What the request should know, such as names that go.' }),
});
export type SnrResult = z.infer<typeof SnrResultSchema>;
