import { type MapForm, mapBytes } from '@/lib/analysis';
import type { BlockConfig, ModelConfig } from '@/lib/checkpoint';
import { ServiceError } from '../../errors';

const megabytes = (bytes: number) => Math.max(1, Math.ceil(bytes / 2 ** 20));

/**
 * Bytes that the making of a map takes beside weights and activations, known before it begins.
 * @throws ServiceError 422 where they are more than `limit`.
 */
export function checkedMapBytes(block: BlockConfig, d: number, L: number, form: MapForm, limit: number): number {
  const bytes = mapBytes(block, d, L, form);
  requireMapMemory(bytes, limit, `A map of the form ${form} over ${L} tokens`);
  return bytes;
}

/** The same of the default maps of a run, of which one is made at a time. */
export function checkDefaultMaps({ blocks, d }: ModelConfig, L: number, limit: number): void {
  for (const block of blocks) checkedMapBytes(block, d, L, 's6', limit);
}

/** @throws ServiceError 422 with both figures. */
export function requireMapMemory(bytes: number, limit: number, what: string): void {
  if (bytes <= limit) return;
  throw new ServiceError(
    422,
    `${what} takes about ${megabytes(bytes)} MB; the limit is ${megabytes(limit)} MB.`,
    'Shorten the prompt, or raise STATESCOPE_MAP_MEMORY_MB.',
  );
}
