import { hookPointsOf, memoryOf } from '@/lib/architectures/places';
import { InputError } from '@/lib/checkpoint/types';
import { type Mixer, pointNames } from './points';
import type { Outline } from './question';

/** Points that are not one row per token. */
const WITHOUT_POSITIONS = /(^|\.)hook_(A|lambda|h\.\d+)$/;

/** @throws InputError where a layer has nothing of that name to patch. */
export function requirePoint(
  { config }: Outline,
  layers: readonly number[],
  { point, mixer }: { readonly point: string; readonly mixer?: Mixer },
): void {
  requireTokens(point);
  const has = (layer: number) => {
    const block = config.blocks[layer];
    const known = point === 'ssm' || point === 'conv' ? memoryOf(block) : hookPointsOf(block);
    return pointNames(layer, point, mixer).some((name) => known.has(name.slice(`blocks.${layer}.`.length)));
  };
  const bare = layers.find((layer) => !has(layer));
  if (bare === undefined) return;
  const having = config.blocks.flatMap((_, layer) => (has(layer) ? [layer] : []));
  const remedy =
    having.length > 0
      ? `choose from the layers that have it, ${having.join(',')} (--layers ${having.join(',')})`
      : 'see docs/hooks.md for their names';
  throw new InputError(
    `Layer ${bare} (${config.blocks[bare].kind}) has no hook point ${point}${mixer ? ` in ${mixer}` : ''}: ${remedy}.`,
  );
}

/** @throws InputError where a point is not one row per token. */
export function requireTokens(point: string): void {
  if (WITHOUT_POSITIONS.test(point))
    throw new InputError(
      `${point} is not one row per token, so it cannot be patched at a position: choose another point.`,
    );
}
