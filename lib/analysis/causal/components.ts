import { type BlockConfig, InputError } from '@/lib/checkpoint/types';
import { scansOf } from '../s6Inputs';
import { MIXERS, type Mixer } from './points';
import type { Outline } from './question';
import { scanNamesOf } from './scanNames';

export const UNITS = ['block', 'mixer', 'head', 'channel'] as const;

/**
 * What is ablated as one piece:
 *
 * - `block`: what the block adds to the residual stream (`hook_out_proj`);
 * - `mixer`: what one branch of a differential block brings to the subtraction;
 * - `head`, `channel`: their part of a scan's gated output (`hook_after_skip`), before norm and output projection.
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

/** All components of a unit in these layers. @throws InputError where no layer has any. */
export function componentsOf(model: Outline, unit: Unit, layers: readonly number[], mixer?: Mixer): Component[] {
  const found = layers.flatMap((layer): Component[] => {
    const { kind, mixer: sizes } = model.config.blocks[layer];
    if (unit === 'block') return mixer ? [] : [{ layer, unit }];
    if (unit === 'mixer') {
      const mixers = isDifferential(model.config.blocks[layer]) ? MIXERS : [];
      return mixers.filter((each) => !mixer || each === mixer).map((each) => ({ layer, unit, mixer: each }));
    }
    const count = unit === 'head' ? sizes.H : sizes.E;
    return scansOf(kind)
      .filter((scan) => !mixer || scan === mixer)
      .flatMap((scan) =>
        Array.from(
          { length: count },
          (_, index): Component => ({
            ...{ layer, unit, index },
            ...(scan !== 'single' && { mixer: scan }),
          }),
        ),
      );
  });
  if (found.length > 0) return found;
  throw new InputError(
    `The chosen layers have no ${unit}${mixer ? ` of ${mixer}` : ''}: choose another unit or other layers.`,
  );
}

export const isDifferential = ({ lambda }: BlockConfig): boolean => lambda !== undefined;

/** The hook point and channels of a component. */
export function placeOf({ config }: Outline, { layer, unit, mixer, index = 0 }: Component): Place {
  const block = config.blocks[layer];
  if (unit === 'block') return { name: `blocks.${layer}.hook_out_proj` };
  if (unit === 'mixer') return mixerPlace(layer, block, mixer as Mixer);
  const [{ after_skip }] = scanNamesOf(layer, block, mixer);
  const { P } = block.mixer;
  const channels = unit === 'channel' ? [index] : Array.from({ length: P }, (_, p) => index * P + p);
  return { name: after_skip, channels };
}

/** Spec A4: what each branch brings to branch 1 − λ · branch 2. */
function mixerPlace(layer: number, { kind, mixer: { d } }: BlockConfig, mixer: Mixer): Place {
  if (kind === 'diff_mamba2e') {
    const start = mixer === 'mixer_1' ? d / 2 : 0;
    return {
      name: `blocks.${layer}.hook_mixer_out`,
      channels: Array.from({ length: d / 2 }, (_, c) => start + c),
    };
  }
  const point =
    kind === 'diff_s6' ? 'hook_after_skip' : kind === 'diff_s6_mamba2' ? 'hook_gated_norm' : 'hook_out_proj';
  return { name: `blocks.${layer}.${mixer}.${point}` };
}
