import { z } from 'zod';
import { ATTRIBUTION_METRICS, MIXERS, PATCH_DIRECTIONS, SIGNAL_METRICS } from '.';

const count = z.number().int().nonnegative();
const layers = z.array(count).min(1).max(10_000).optional().meta({ description: 'Default: all.' });
const mixer = z.enum(MIXERS).optional().meta({ description: 'One mixer of differential blocks.' });
const causal = {
  layers,
  mixer,
  window: z.number().int().min(1).max(10_000).default(1).meta({
    description: 'Layers that follow each other among those chosen and are changed together.',
  }),
  memory_mb: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(1024)
    .meta({ description: 'Refuse an example that would take more beside the weights.' }),
};

/** Left out where it is not asked for, so that sweeps of earlier versions are the same. */
const attribution = z
  .literal(true)
  .optional()
  .meta({ description: 'Estimates by one backward pass in place of changed runs.' });

/** What each kind of sweep is asked beside its models and prompts, the same over HTTP, in a file, and for workers. */
export const SWEEP_OPTIONS = {
  snr: { metrics: z.array(z.enum(SIGNAL_METRICS)).min(1).optional().meta({ description: 'Default: all.' }) },
  allocation: { layers },
  patch: {
    ...causal,
    point: z
      .string()
      .regex(/^[\w.]{1,100}$/, 'point must be the name of a hook point')
      .default('hook_resid_pre')
      .meta({
        description: 'A hook point of the block, `hook_h` (states), or, with attribution, `mixer_1`, `mixer_2`.',
      }),
    direction: z.enum(PATCH_DIRECTIONS).default('denoise'),
    metric: z.enum(ATTRIBUTION_METRICS).optional().meta({
      description: 'Default the logit difference, of examples without a foil the logit of the target.',
    }),
    method: z
      .enum(['exact', 'attribution'])
      .default('exact')
      .meta({ description: 'Patched runs, or their estimates by one backward pass.' }),
    steps: z.number().int().min(1).max(64).default(1).meta({ description: 'Of an attribution.' }),
  },
  knockout: {
    ...causal,
    queries: z.enum(['later', 'answer']).default('later').meta({ description: 'Who stops reading.' }),
    reads: z.enum(['scan', 'block']).default('scan'),
    together: z.boolean().default(false).meta({ description: 'All layers at once.' }),
    attribution,
  },
  ablate: {
    ...causal,
    unit: z.enum(['block', 'mixer', 'head', 'channel']).default('block'),
    method: z.enum(['zero', 'mean', 'resample']).default('zero'),
    reference: z
      .union([z.literal('self'), z.array(z.array(count).min(1).max(1_000_000)).min(1).max(256)])
      .optional()
      .meta({
        description:
          'Token ids of the prompts that `mean` and `resample` are taken from, aligned at their end; `self` for each prompt itself.',
      }),
    rows: z
      .enum(['all', 'class'])
      .default('all')
      .meta({ description: 'At every token at once, or at those of one class after the other.' }),
    attribution,
  },
};
