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
  for (const layer of layers) {
    const block = config.blocks[layer];
    const known = point === 'ssm' || point === 'conv' ? memoryOf(block) : hookPointsOf(block);
    const names = pointNames(layer, point, mixer).map((name) => name.slice(`blocks.${layer}.`.length));
    if (names.some((name) => known.has(name))) continue;
    throw new InputError(
      `Layer ${layer} (${block.kind}) has no hook point ${point}${mixer ? ` in ${mixer}` : ''}: see docs/hooks.md for their names.`,
    );
  }
}

/** @throws InputError where a point is not one row per token. */
export function requireTokens(point: string): void {
  if (WITHOUT_POSITIONS.test(point))
    throw new InputError(
      `${point} is not one row per token, so it cannot be patched at a position: choose another point.`,
    );
}
