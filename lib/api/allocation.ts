import { z } from 'zod';
import { TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import { ExamplesSchema, IntervalsSchema } from './analyses';
import { MemorySchema } from './memory';

/** What travels for allocation: what every layer reads at one token, by class of token, of one prompt or over a batch. */

const count = z.number().int().nonnegative();
const name = z.string().min(1).max(300);

export const AllocationTaskSchema = z.object({
  kind: z.literal('allocation'),
  models: z
    .array(z.union([name, z.array(name).min(1).max(16)], 'a model is a name, or the names of its training seeds'))
    .min(1)
    .max(8)
    .meta({ description: 'One model, or several to compare; training seeds of one as a list.' }),
  examples: ExamplesSchema,
  layers: z.array(count).min(1).max(10_000).optional().meta({ description: 'Layer numbers from 0; default all.' }),
  memory_mb: MemorySchema,
  resamples: z.number().int().min(1).max(20_000).default(2000).meta({ description: 'Of the bootstrap.' }),
  seed: count.default(42).meta({ description: 'Of the bootstrap and of stories; equal seeds give equal numbers.' }),
});
export type AllocationTask = z.output<typeof AllocationTaskSchema>;

const end = z.number().optional();
/** Null where it is not defined: a class without tokens, a share of nothing. Without an interval where there is one prompt. */
const measured = z.object({ mean: z.number(), low: end, high: end }).nullable();
export type MeasuredValue = z.infer<typeof measured>;

const byClass = z.object(
  Object.fromEntries(TOKEN_CLASSES.map((each) => [each, measured])) as Record<TokenClass, typeof measured>,
);

const readPart = z.object({
  norm_share: byClass.meta({
    description: 'Share of the norms of what tokens bring; parts do not add up to the output.',
  }),
  projection_share: byClass.meta({ description: 'Share of the output, signed; 1 over all classes.' }),
  alti_share: byClass.meta({ description: 'Share of nearness to the output.' }),
  logit: byClass.meta({ description: 'In logits of the target, or of target minus foil; signed.' }),
  needle_against_context: measured.meta({
    description: 'Needle over all context: needle, competing, first and filler.',
  }),
});

export const LayerAllocationSchema = z.object({
  layer: count,
  kind: z.string(),
  differential: z.boolean(),
  tokens: z
    .object(Object.fromEntries(TOKEN_CLASSES.map((each) => [each, z.number()])) as Record<TokenClass, z.ZodNumber>)
    .meta({ description: 'Of each class, a mean over prompts.' }),
  chance: z.number().nullable().meta({ description: 'Needle tokens over context tokens.' }),
  net: readPart,
  branch_1: readPart.optional(),
  lambda_branch_2: readPart.optional(),
  removed: byClass.optional().meta({ description: '1 − what the difference reads over what branch 1 reads.' }),
  cosine: byClass.optional(),
  rejection_db: byClass.optional().meta({ description: 'Decibels.' }),
  reconstruction_error: z.number().meta({ description: 'The largest of the prompts.' }),
});
export type LayerAllocation = z.infer<typeof LayerAllocationSchema>;

export const AllocationResultSchema = z.object({
  kind: z.literal('allocation'),
  note: z
    .string()
    .optional()
    .meta({ description: 'What the request should know: a former name, answers of several tokens.' }),
  examples: count.meta({ description: 'Prompts that each model listed has read.' }),
  intervals: IntervalsSchema.unwrap()
    .optional()
    .meta({ description: 'What the intervals of all models cover; absent where there are none, as of one prompt.' }),
  models: z
    .array(
      z.object({
        model: z.string(),
        seeds: count.optional(),
        answer_logprob: measured.optional().meta({
          description:
            'ln p of the whole answer, each token given those before it, where some answers have several tokens.',
        }),
        layers: z.array(LayerAllocationSchema),
      }),
    )
    .meta({ description: 'Models that are finished; of the first one the prompts that are, where it was cancelled.' }),
  paired: z
    .array(
      z.object({
        models: z.tuple([z.string(), z.string()]),
        layers: z.array(
          z.object({
            layer: count,
            needle_against_context: z
              .object({ mean: z.number(), low: z.number(), high: z.number(), p: z.number() })
              .nullable(),
          }),
        ),
      }),
    )
    .optional()
    .meta({ description: 'Second model minus first on the same prompts, for models of equal depth.' }),
});
export type AllocationResult = z.infer<typeof AllocationResultSchema>;
