import { differenceOf } from '@/lib/architectures';
import { scansAt, scansOf } from '@/lib/architectures/places';
import { type BlockConfig, InputError, isDifferential, isHybrid } from '@/lib/checkpoint/types';
import { MIXERS, type Mixer } from './points';
import type { Outline } from './question';

export const UNITS = ['block', 'mixer', 'head', 'channel'] as const;

/**
 * What is ablated as one piece:
 *
 * - `block`: what the block adds to the residual stream (`hook_out_proj`);
 * - `mixer`: what one branch of a differential block brings to the subtraction;
 * - `head`, `channel`: their part of a scan's gated output (`hook_after_skip`), before norm and output projection, or of what
 *   attention alone gives to its own (`hook_z`).
 */
export type Unit = (typeof UNITS)[number];

export interface Component {
  readonly layer: number;
  readonly unit: Unit;
  readonly mixer?: Mixer;
  /** Of a head or channel. */
  readonly index?: number;
}

/** Where a component is in the forward pass: a hook point, and channels of its last axis (all where absent). */
export interface Place {
  readonly name: string;
  readonly channels?: readonly number[];
}

/** The attention of a block that has no scan beside it. */
const ownAttention = (block: BlockConfig) =>
  isHybrid(block) && scansOf(block).length === 0 ? block.attention : undefined;

/** All components of a unit in these layers. @throws InputError where no layer has any. */
export function componentsOf(model: Outline, unit: Unit, layers: readonly number[], mixer?: Mixer): Component[] {
  const found = layers.flatMap((layer): Component[] => {
    const block = model.config.blocks[layer];
    const { mixer: sizes } = block;
    if (unit === 'block') return mixer ? [] : [{ layer, unit }];
    if (unit === 'mixer') {
      const mixers = isDifferential(block) ? MIXERS : [];
      return mixers.filter((each) => !mixer || each === mixer).map((each) => ({ layer, unit, mixer: each }));
    }
    const attention = ownAttention(block);
    const count = unit === 'head' ? (attention?.H ?? sizes.H) : sizes.E;
    if (attention && !mixer) return Array.from({ length: count }, (_, index): Component => ({ layer, unit, index }));
    return scansOf(block)
      .filter(({ name }) => !mixer || name === mixer)
      .flatMap(({ name: scan }) =>
        Array.from(
          { length: count },
          (_, index): Component => ({ layer, unit, index, ...(scan !== 'single' && { mixer: scan }) }),
        ),
      );
  });
  if (found.length > 0) return found;
  throw new InputError(
    `The chosen layers have no ${unit}${mixer ? ` of ${mixer}` : ''}: choose another unit or other layers.`,
  );
}

/** The hook point and channels of a component. */
export function placeOf({ config }: Outline, { layer, unit, mixer, index = 0 }: Component): Place {
  const block = config.blocks[layer];
  if (unit === 'block') return { name: `blocks.${layer}.hook_out_proj` };
  if (unit === 'mixer' && isDifferential(block)) {
    const { point, half } = differenceOf(block).branches[MIXERS.indexOf(mixer as Mixer)];
    return { name: `blocks.${layer}.${point}`, channels: half && halfOf(block.mixer.d, half) };
  }
  const [scan] = scansAt(layer, block, mixer);
  const attention = ownAttention(block);
  const P = attention?.D ?? block.mixer.P;
  const channels = unit === 'channel' ? [index] : Array.from({ length: P }, (_, p) => index * P + p);
  return { name: attention ? `blocks.${layer}.hook_z` : scan.at('after_skip'), channels };
}

const halfOf = (width: number, half: 'lower' | 'upper') =>
  Array.from({ length: width / 2 }, (_, c) => (half === 'upper' ? width / 2 : 0) + c);
