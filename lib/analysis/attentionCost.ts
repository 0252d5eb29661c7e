import { scansOf } from '@/lib/architectures/places';
import { type BlockConfig, InputError, type ModelConfig } from '@/lib/checkpoint/types';
import { stripWidth } from './normForm';

/** The forms of implicit attention: see docs/analyses.md. */
export type MapForm = 's6' | 'block' | 'logit' | 'norm';

/** What is asked of every layer. */
export interface AttentionRequest {
  /** Maps of one layer that are kept until the end. */
  readonly mapsPerLayer: number;
  readonly layers: readonly number[];
  /** Default: `s6`. */
  readonly forms?: readonly MapForm[];
}

/**
 * Bytes that implicit attention takes beyond the weights: what one block of the forward pass leaves, the making of the
 * costliest map of it, and all maps of size L².
 */
export function attentionBytes(config: ModelConfig, L: number, request: AttentionRequest): number {
  const { layers, mapsPerLayer, forms = ['s6'] } = request;
  const working = layers.map((layer) => {
    const block = config.blocks[layer];
    return capturedBytes(block, config.d, L) + Math.max(...forms.map((form) => mapBytes(block, config.d, L, form)));
  });
  return Math.max(0, ...working) + 4 * L * L * mapsPerLayer * layers.length;
}

function capturedBytes(block: BlockConfig, d: number, L: number): number {
  const { E, N } = block.mixer;
  return 4 * (scansOf(block).length * L * (5 * E + 2 * N) + 2 * L * d);
}

/** Tensors [L,E] that are alive at once while a map of a form is made and checked, in the tests' measurements rounded up, and scratch of kernels. */
const TENSORS: Readonly<Record<MapForm, number>> = { s6: 17, block: 44, logit: 30, norm: 26 };

/** Maps [L,L] that are alive at once. */
const MAPS = 4;

/**
 * Bytes that one map of a block takes while it is made, what the forward pass left not counted: factors of every channel,
 * the check against the forward pass, projections with what follows them, and in the norm form a strip of sources.
 */
export function mapBytes(block: BlockConfig, d: number, L: number, form: MapForm): number {
  const { E, N, H, G, K } = block.mixer;
  const scans = scansOf(block).length;
  const inputs = 4 * L * 2 * Math.max(G, 1) * N + (H > 0 ? H : E * N) + E * K;
  const factors = TENSORS[form] * L * (form === 's6' && H > 0 ? H : E);
  if (form === 's6' || form === 'block') return 4 * (factors + inputs + MAPS * L * L);
  const projections = scans * 4 * d * E + L * d;
  const strip = form === 'norm' ? scans * stripWidth(L, E) * L * (E + 3 * d) : 0;
  return 4 * (factors + inputs + projections + strip + MAPS * L * L);
}

/** Tensors [L,E] that a block leaves in a pass whose gradient is wanted, with those of the gradient itself. */
const GRADIENT_TENSORS = 56;

/** Bytes beside the weights that the gradient of one logit takes: activations of every block, and logits of every position. */
export function gradientBytes({ blocks, d, V }: ModelConfig, L: number): number {
  const values = blocks.map((block) => {
    const { E, N, G } = block.mixer;
    const perToken = GRADIENT_TENSORS * E + 8 * N * Math.max(G, 1);
    return L * (10 * d + scansOf(block).length * perToken);
  });
  return 4 * (values.reduce((sum, value) => sum + value, 0) + 4 * L * V);
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
