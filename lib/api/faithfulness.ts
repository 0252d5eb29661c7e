import { z } from 'zod';
import { SOURCE_ORDERS, WATCHED } from '@/lib/vocabulary';
import { ExamplesSchema, IntervalsSchema } from './analyses';
import { MemorySchema } from './memory';

/** What travels for faithfulness: how well maps, rollouts and attributions say what an answer rests on, over a batch. */

const count = z.number().int().nonnegative();

export const FaithfulnessTaskSchema = z.object({
  kind: z.literal('faithfulness'),
  models: z.array(z.string().min(1).max(300)).min(1).max(8).meta({ description: 'One model, or several.' }),
  examples: ExamplesSchema,
  orders: z
    .array(z.enum(SOURCE_ORDERS))
    .min(1)
    .default([...SOURCE_ORDERS])
    .meta({ description: 'What says which sources matter; `random` is what they are held against.' }),
  watch: z.enum(WATCHED).default('logit').meta({
    description: 'The logit of the target, less that of the foil where there is one; or ln p of the target.',
  }),
  points: z.number().int().min(1).max(100).default(10).meta({ description: 'Steps of a curve.' }),
  draws: z.number().int().min(1).max(50).default(5).meta({ description: 'Random orders that are averaged.' }),
  memory_mb: MemorySchema,
  resamples: z.number().int().min(1).max(20_000).default(2000).meta({ description: 'Of the bootstrap.' }),
  seed: count.default(42).meta({ description: 'Of random orders, the bootstrap and stories.' }),
});
export type FaithfulnessTask = z.output<typeof FaithfulnessTaskSchema>;

const end = z.number().optional();
const measured = z
  .object({ mean: z.number(), low: end, high: end })
  .nullable()
  .meta({ description: 'Null where it is not defined; without an interval where there is one prompt.' });
const curve = z.array(z.number());

const curves = {
  deletion_area: measured.meta({
    description:
      'Between the model without any source, 0, and the whole one, 1: low where the order finds what matters.',
  }),
  insertion_area: measured.meta({ description: 'The same of giving back: high where it does.' }),
  above_random: measured.optional().meta({ description: 'insertion − deletion less that of random orders.' }),
  deletion: curve.meta({ description: 'Mean over prompts of what is watched, from all sources to none.' }),
  insertion: curve.meta({ description: 'From none to all.' }),
};

export const FaithfulnessResultSchema = z.object({
  kind: z.literal('faithfulness'),
  examples: count,
  watch: z.enum(WATCHED),
  points: count,
  intervals: IntervalsSchema.unwrap().optional().meta({ description: 'What intervals cover; absent for one prompt.' }),
  models: z
    .array(
      z.object({
        model: z.string(),
        orders: z.array(
          z.object({
            order: z.enum(SOURCE_ORDERS),
            ...curves,
            frozen_norms: z
              .object(curves)
              .meta({ description: 'The same with every RMS norm dividing as in the untouched pass.' }),
          }),
        ),
      }),
    )
    .meta({ description: 'Models that are finished; of the first one the prompts that are, where it was cancelled.' }),
});
export type FaithfulnessResult = z.infer<typeof FaithfulnessResultSchema>;
