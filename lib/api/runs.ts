import { z } from 'zod';

/** Runs that exist, and what one would take. */

export const RunPatchSchema = z.object({
  name: z
    .string()
    .trim()
    .max(200)
    .regex(/^[^\0\p{Cs}]*$/u, 'a name holds neither U+0000 nor half a surrogate pair')
    .meta({ description: 'What to call the run; empty to unname it.' }),
});
export type RunPatch = z.infer<typeof RunPatchSchema>;

export const RunDeleteQuerySchema = z.object({
  forget: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Whether to remove the run from memory and disk too.' }),
});

const bytes = z.number().int().nonnegative();

export const RunEstimateSchema = z.object({
  activationBytes: bytes.meta({ description: 'What the run keeps in memory.' }),
  limitBytes: bytes.meta({ description: 'Most activations that are kept; a run above it is refused.' }),
  weightBytes: bytes.meta({ description: 'Weights that are not on the device yet.' }),
  packedBytes: bytes.meta({
    description:
      'What the device adds to these weights once prompts of this length have come back some ten times: it keeps them in the order of its products too.',
  }),
  seconds: z
    .number()
    .nullable()
    .meta({ description: 'Expected, loading included, by a probe of the device and by runs; null without a device.' }),
});
export type RunEstimate = z.infer<typeof RunEstimateSchema>;
