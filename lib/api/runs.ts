import { z } from 'zod';

/** Requests about runs that exist. */

export const RunPatchSchema = z.object({
  name: z.string().trim().max(200).meta({ description: 'What to call the run; empty to unname it.' }),
});
export type RunPatch = z.infer<typeof RunPatchSchema>;

export const RunDeleteQuerySchema = z.object({
  forget: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Whether to remove the run from memory and disk too.' }),
});
