import { type BlockConfig, InputError, type ModelConfig } from '@/lib/checkpoint/types';
import { stripWidth } from './normForm';
import { scansOf } from './s6Inputs';

/** What is asked of every layer. */
export interface AttentionRequest {
  /** Maps of one layer that are kept until the end. */
  readonly mapsPerLayer: number;
  readonly layers: readonly number[];
  /** Whether the norm form is among them, which works on strips of sources. */
  readonly norm?: boolean;
}

/**
 * Bytes that implicit attention takes beyond the weights: what one block of the forward pass leaves and the factors made of
 * it, the largest strip of the norm form, and all maps of size L².
 */
export function attentionBytes(config: ModelConfig, L: number, request: AttentionRequest): number {
  const blocks = request.layers.map((layer) => config.blocks[layer]);
  const working = Math.max(0, ...blocks.map((block) => blockBytes(block, config.d, L, request.norm ?? false)));
  return working + 4 * L * L * request.mapsPerLayer * request.layers.length;
}

function blockBytes({ kind, mixer }: BlockConfig, d: number, L: number, norm: boolean): number {
  const { E, N, H, K } = mixer;
  const scans = scansOf(kind).length;
  const captured = scans * L * (5 * E + 2 * N) + 2 * L * d;
  const factors = 4 * L * E + (H > 0 ? K * L * E : E * N);
  const strip = norm ? scans * L * stripWidth(L, E) * (E + d) : 0;
  return 4 * (captured + factors + strip);
}

const megabytes = (bytes: number) => Math.ceil(bytes / 1024 / 1024);

/** @throws InputError with both figures where the maps need more memory than `limit` bytes. */
export function requireMemory(bytes: number, limit: number, L: number): void {
  if (bytes <= limit) return;
  throw new InputError(
    `These maps of ${L} tokens need about ${megabytes(bytes)} MB and the limit is ${megabytes(limit)} MB: ask for fewer layers, forms or heads, or raise the limit.`,
  );
}

/**
 * Refuses a map with NaN or infinity in it, which shows in its reconstruction error.
 * @param what the map in words @throws InputError
 */
export function requireFinite({ reconstructionError }: { readonly reconstructionError: number }, what: string): void {
  if (Number.isFinite(reconstructionError)) return;
  throw new InputError(
    `The map of ${what} is not finite: the model's weights or activations hold NaN or infinity, so look for them with "run --names all".`,
  );
}
