import { z } from 'zod';
import { READINGS } from './readings';

export const EXPORT_FORMATS = ['csv', 'npz', 'safetensors', 'json'] as const;
export const EXPORTS = ['map', 'rollout', 'lens', 'signal', 'allocation'] as const;

/** What to export and how; the other parameters are those of the route of the same name. */
export const ExportQuerySchema = z.object({
  ...READINGS.allocation.query.shape,
  ...READINGS.rollout.query.shape,
  ...READINGS.signal.query.shape,
  ...READINGS.lens.query.shape,
  ...READINGS.map.query.shape,
  layer: READINGS.map.query.shape.layer.optional().meta({ description: 'Required for a map.' }),
  what: z.enum(EXPORTS).meta({ description: 'Which numbers; further parameters as in the route of that name.' }),
  format: z
    .enum(EXPORT_FORMATS)
    .meta({ description: 'Labels and units are inside, save NPZ, which holds arrays only.' }),
});
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
export type ExportKind = (typeof EXPORTS)[number];
