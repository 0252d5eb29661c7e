import { scansOf } from '@/lib/architectures/places';
import type { AttentionConfig } from '@/lib/architectures/types';
import { type BlockConfig, InputError, isHybrid, type ModelConfig } from '@/lib/checkpoint/types';
import type { Form } from '@/lib/vocabulary';
import { stripWidth } from './normForm';

/** The forms of implicit attention: see docs/analyses.md. */
export type MapForm = Form;

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
  const attention = isHybrid(block) ? block.attention : undefined;
  const heads = attention ? 2 * (attention.H + attention.KV) * attention.D : 0;
  return 4 * (L * (scansOf(block).length * (5 * E + 2 * N) + heads) + 2 * L * d);
}

/** Tensors [L,E] that are alive at once while a map of a form is made and checked, in the tests' measurements rounded up, and scratch of kernels. */
const TENSORS: Readonly<Record<MapForm, number>> = { s6: 17, softmax: 8, block: 44, logit: 30, norm: 26 };

/** Maps [L,L] that are alive at once. */
const MAPS = 4;

/** The same of attention, whose scores, mask, weights and products with values are whole. */
const ATTENTION_MAPS = 8;

/**
 * Bytes that one map of a block takes while it is made, what the forward pass left not counted: factors of every channel,
 * the check against the forward pass, projections with what follows them, and in the norm form a strip of sources.
 */
export function mapBytes(block: BlockConfig, d: number, L: number, form: MapForm): number {
  const attention = isHybrid(block) ? block.attention : undefined;
  const own = attention ? attentionMapBytes(attention, d, L, form) : 0;
  const scans = scansOf(block).length;
  if (scans === 0 || form === 'softmax') return own;
  const { E, N, H, G, K } = block.mixer;
  const inputs = 4 * L * 2 * Math.max(G, 1) * N + (H > 0 ? H : E * N) + E * K;
  const factors = TENSORS[form] * L * (form === 's6' && H > 0 ? H : E);
  if (form === 's6' || form === 'block') return Math.max(own, 4 * (factors + inputs + MAPS * L * L));
  const projections = scans * 4 * d * E + L * d;
  const strip = form === 'norm' ? scans * stripWidth(L, E) * L * (E + 3 * d) : 0;
  return own + 4 * (factors + inputs + projections + strip + MAPS * L * L);
}

/** The same of attention: its queries, keys and values, one head's weights, and in the norm form a strip of every channel. */
function attentionMapBytes({ H, KV, D }: AttentionConfig, d: number, L: number, form: MapForm): number {
  const E = H * D;
  const held = L * (3 * E + 4 * KV * D);
  const projected = form === 'norm' || form === 'logit' ? 4 * d * E + L * d : 0;
  const strip = form === 'norm' ? stripWidth(L, E) * L * (2 * E + 3 * d + 3 * H) : 0;
  return 4 * (held + projected + strip + ATTENTION_MAPS * L * L);
}

/** Tensors [L,E] that a block leaves in a pass whose gradient is wanted, with those of the gradient itself. */
const GRADIENT_TENSORS = 56;

/** Bytes beside the weights that the gradient of one logit takes: activations of every block, and logits of every position. */
export function gradientBytes({ blocks, d, V }: ModelConfig, L: number): number {
  const values = blocks.map((block) => {
    const { E, N, G } = block.mixer;
    const perToken = GRADIENT_TENSORS * E + 8 * N * Math.max(G, 1);
    const attention = isHybrid(block) ? block.attention : undefined;
    const attended = attention ? 8 * (attention.H + attention.KV) * attention.D + 4 * attention.H * L : 0;
    const mlp = isHybrid(block) ? 8 * (block.mlp?.width ?? 0) : 0;
    return L * (10 * d + scansOf(block).length * perToken + attended + mlp);
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
