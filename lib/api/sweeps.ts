import { z } from 'zod';
import { SWEEP_OPTIONS } from '@/lib/vocabulary/sweep-options';
import { ExamplesSchema } from './analyses';

/** What travels for sweeps: batches over models, sets of prompts and training seeds, as items that any number of workers share. */

const count = z.number().int().nonnegative();
const name = z.string().min(1).max(300);

const common = {
  models: z
    .array(z.union([name, z.array(name).min(1).max(16)], 'a model is a name, or the names of its training seeds'))
    .min(1)
    .max(16)
    .meta({ description: 'Names that `GET /api/models` lists; training seeds of one model as a list.' }),
  sources: z
    .array(z.object({ name, examples: ExamplesSchema }).strict())
    .min(1)
    .max(100)
    .meta({ description: 'Sets of prompts, such as one a length or task; each is summed up by itself.' }),
  resamples: z.number().int().min(1).max(20_000).default(2000).meta({ description: 'Of the bootstrap.' }),
  seed: count.default(42).meta({ description: 'Of the bootstrap and of stories; equal seeds give equal numbers.' }),
};

export const SweepRequestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('snr'), ...common, ...SWEEP_OPTIONS.snr }).strict(),
  z.object({ kind: z.literal('allocation'), ...common, ...SWEEP_OPTIONS.allocation }).strict(),
  z
    .object({ kind: z.literal('patch'), ...common, ...SWEEP_OPTIONS.patch })
    .strict()
    .meta({
      description:
        'Patching by class of token; a line without `corrupted` has its answer exchanged for another candidate.',
    }),
  z.object({ kind: z.literal('knockout'), ...common, ...SWEEP_OPTIONS.knockout }).strict(),
  z.object({ kind: z.literal('ablate'), ...common, ...SWEEP_OPTIONS.ablate }).strict(),
]);
export type SweepRequest = z.output<typeof SweepRequestSchema>;
export type SweepRequestInput = z.input<typeof SweepRequestSchema>;

export const SweepQuerySchema = z.object({
  retry: z.stringbool().default(false).meta({ description: 'Tries items again that failed.' }),
});

export const SweepStatusSchema = z.object({
  id: z.string().meta({ description: 'Made of all that is asked: the same question is the same sweep.' }),
  kind: z.string(),
  state: z
    .enum(['open', 'done', 'failed', 'cancelled'])
    .meta({ description: '`failed` once every item has ended and some have failed.' }),
  items: count,
  done: count.meta({ description: 'Items with a result.' }),
  active: count.meta({ description: 'Items that are being computed.' }),
  failed: z.array(z.object({ item: count, label: z.string(), error: z.string() })),
  createdAt: z.number().meta({ description: 'Milliseconds since 1970.' }),
});
export type SweepStatus = z.infer<typeof SweepStatusSchema>;

export const SweepListSchema = z.object({ sweeps: z.array(SweepStatusSchema).meta({ description: 'Newest first.' }) });
export type SweepList = z.infer<typeof SweepListSchema>;

export const SweepSchema = SweepStatusSchema.extend({
  workers: z
    .array(z.object({ worker: z.string(), items: count }))
    .meta({ description: 'Who has ended how many items: process, machine and device.' }),
  result: z.record(z.string(), z.unknown()).nullable().meta({
    description: 'What it comes to, as `statescope sweep result` prints it; null until every item has a result.',
  }),
});
export type Sweep = z.infer<typeof SweepSchema>;
