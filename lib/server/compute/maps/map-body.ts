import type { MapMetadata } from '@/lib/api/readings';
import { encodeSafetensors } from '@/lib/safetensors';
import type { Body } from '../../protocol';

/** A map that was made, and what was said before of the memory that it takes. */
interface DescribedMap extends Pick<MapMetadata, 'form' | 'reduce' | 'branch' | 'convention'> {
  readonly map: Float32Array;
  readonly rest?: Float32Array;
  readonly reconstructionError: number;
  readonly maxAbs: number;
  /** Time that it took. ms */
  readonly ms: number;
  readonly bytes: number;
}

/** A map [L, L] as a safetensors body, with its bias terms [L] where the form has them. */
export const mapBody = (L: number, described: DescribedMap): Body => {
  const { map, rest, form, reduce, branch, convention, reconstructionError, maxAbs, ms, bytes } = described;
  return encodeSafetensors(
    { map: { shape: [L, L], data: map }, ...(rest && { rest: { shape: [L], data: rest } }) },
    {
      form,
      reduce,
      branch,
      convention,
      reconstruction_error: String(reconstructionError),
      max_abs: String(maxAbs),
      ms: String(ms),
      memory_bytes: String(bytes),
    },
  );
};
