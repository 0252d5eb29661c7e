import { type BlockConfig, InputError } from '@/lib/checkpoint/types';
import { MIXERS, type Mixer } from '@/lib/vocabulary';

export { MIXERS, type Mixer };

/** Part of a block's width. At most one of the two. */
export interface Part {
  readonly channels?: readonly number[];
  /** Mamba-2 kinds: head h stands for its P channels. */
  readonly heads?: readonly number[];
}

/** Every name that a hook point can have in block i: `blocks.i.hook_y`, or that below the mixers. */
export function pointNames(block: number, point: string, mixer?: Mixer): string[] {
  const [, named, bare] = /^(mixer_[12])\.(.+)$/.exec(point) ?? [];
  if (named) return [`blocks.${block}.${named}.${bare}`];
  const below = (mixer ? [mixer] : MIXERS).map((each) => `blocks.${block}.${each}.${point}`);
  return mixer ? below : [`blocks.${block}.${point}`, ...below];
}

/** The one mixer that a point is asked of, by its name or beside it. */
export const mixerOf = ({ point, mixer }: { readonly point: string; readonly mixer?: Mixer }): Mixer | undefined =>
  (/^(mixer_[12])\./.exec(point)?.[1] as Mixer | undefined) ?? mixer;

/**
 * Indices on an axis of this size that a part of the block stands for; undefined for the whole.
 * @throws InputError where the block has no such channel or head, or the axis has neither.
 */
export function indicesOf({ channels, heads }: Part, { mixer, kind }: BlockConfig, size: number): number[] | undefined {
  if (channels) return checked('channel', channels, size);
  if (!heads) return undefined;
  const { H, P } = mixer;
  if (H === 0) throw new InputError(`A ${kind} block has no heads: choose channels.`);
  if (size !== H && size !== H * P)
    throw new InputError(`This hook point is ${size} wide, which is not ${H} heads: choose channels.`);
  const width = size / H;
  return checked('head', heads, H).flatMap((head) => Array.from({ length: width }, (_, p) => head * width + p));
}

function checked(what: string, indices: readonly number[], count: number): number[] {
  const missing = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= count);
  if (missing === undefined) return [...indices];
  throw new InputError(`There is no ${what} ${missing}: they go from 0 to ${count - 1} here.`);
}
