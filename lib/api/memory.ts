import { z } from 'zod';

/** Memory that an analysis may take. */
export const MemorySchema = z
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .default(1024)
  .meta({ description: 'Refuse what would take more beside the weights. The server has a limit of its own.' });
