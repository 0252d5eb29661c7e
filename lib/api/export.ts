import { z } from 'zod';
import { LensQuerySchema, MapQuerySchema, RolloutQuerySchema, SignalQuerySchema } from './schemas';

export const EXPORT_FORMATS = ['csv', 'npz', 'safetensors', 'json'] as const;
export const EXPORTS = ['map', 'rollout', 'lens', 'signal'] as const;

/** What to export and how; the other parameters are those of the route of the same name. */
export const ExportQuerySchema = z.object({
  ...RolloutQuerySchema.shape,
  ...SignalQuerySchema.shape,
  ...LensQuerySchema.shape,
  ...MapQuerySchema.shape,
  layer: MapQuerySchema.shape.layer.optional().meta({ description: 'Required for a map.' }),
  what: z.enum(EXPORTS).meta({ description: 'Which numbers; further parameters as in the route of that name.' }),
  format: z
    .enum(EXPORT_FORMATS)
    .meta({ description: 'Labels and units are inside, save NPZ, which holds arrays only.' }),
});
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
export type ExportKind = (typeof EXPORTS)[number];
