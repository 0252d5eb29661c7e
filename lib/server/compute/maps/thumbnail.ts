import type { ReadingQuery } from '@/lib/api/readings';
import { encodeSafetensors } from '@/lib/safetensors';
import type { Branch } from '@/lib/vocabulary';
import type { Body } from '../../protocol';
import { pause, type Withdrawn } from '../cancelling';
import type { ModelRecord } from '../runs/record';

/** Bytes of thumbnails that are remembered. */
export const THUMBNAIL_BYTES = 64 * 1024 * 1024;

/**
 * Thumbnails of the finished layers among those that are asked for, as a safetensors body. Others' requests go first between
 * two layers, and nothing more is made once nobody waits.
 * @param one the thumbnail of a layer, `size` a side; undefined where it has no map, which leaves its own empty
 */
export async function thumbnailsBody(
  { blocks, L }: ModelRecord,
  query: ReadingQuery<'thumbnails'>,
  one: (layer: number, size: number) => Float32Array | undefined | Promise<Float32Array | undefined>,
  withdrawn: Withdrawn,
): Promise<Body> {
  const { form, reduce, first, count = blocks.length } = query;
  // Layers finish meanwhile.
  const end = Math.min(first + count, blocks.length);
  const layers = Math.max(0, end - first);
  const s = Math.min(query.size, L);
  const data = new Float32Array(layers * s * s);
  for (let k = 0; k < layers; k++) {
    await pause(withdrawn);
    const made = await one(first + k, s);
    if (made) data.set(made, k * s * s);
  }
  return encodeSafetensors(
    { thumbnails: { shape: [layers, s, s], data } },
    { form, reduce, first: String(first), layers: String(layers), size: String(s) },
  );
}

/** The branch whose thumbnail is shown of a block: the one that is asked for where the block has it; none where it has no map. */
export const shownBranch = (asked: Branch | undefined, has: readonly Branch[]): Branch | undefined =>
  asked && has.includes(asked) ? asked : has.at(-1);

/**
 * Shrinks an L × L map to s × s (s = min(size, L)); each cell keeps the value of largest magnitude, with its
 * sign, so that a single strong read is never averaged away. Cost: one pass over the map.
 */
export function thumbnail(map: Float32Array, L: number, size: number): { data: Float32Array; size: number } {
  const s = Math.min(size, L);
  const data = new Float32Array(s * s);
  for (let i = 0; i < L; i++) {
    const row = Math.floor((i * s) / L) * s;
    for (let j = 0; j <= i; j++) {
      const cell = row + Math.floor((j * s) / L);
      const value = map[i * L + j];
      if (Math.abs(value) > Math.abs(data[cell])) data[cell] = value;
    }
  }
  return { data, size: s };
}
