import type { AllocationResult, LayerAllocation, MeasuredValue } from '@/lib/api/allocation';
import { type Paired, type Part, pairedAt, readOf } from '../charts/allocation';

/** The layer that reads most of the needle, against what reading every token alike would give. */
export interface AllocationFinding {
  readonly layer: number;
  readonly value: NonNullable<MeasuredValue>;
  readonly chance: number | null;
  /** Whether the interval, where there is one, lies above or below what reading alike would give; undefined where it does not tell. */
  readonly against?: 'more' | 'less';
}

/** @returns undefined where no layer has a value. */
export function allocationFinding(
  layers: readonly LayerAllocation[] | undefined,
  part: Part,
): AllocationFinding | undefined {
  let found: { layer: number; value: NonNullable<MeasuredValue>; chance: number | null } | undefined;
  for (const one of layers ?? []) {
    const value = readOf(one, part).needle_against_context;
    if (value && (!found || value.mean > found.value.mean)) found = { layer: one.layer, value, chance: one.chance };
  }
  if (!found) return undefined;
  const { value, chance } = found;
  const [low, high] = [value.low ?? value.mean, value.high ?? value.mean];
  if (chance === null) return found;
  return { ...found, against: low > chance ? 'more' : high < chance ? 'less' : undefined };
}

/** Layers in which the paired interval of B − A leaves out zero, the largest difference first. */
export function tellingLayers(
  result: AllocationResult | undefined,
  names: readonly string[],
  depth: number,
): { layer: number; paired: NonNullable<Paired> }[] {
  return Array.from({ length: depth }, (_, layer) => ({ layer, paired: pairedAt(result, names, layer) }))
    .flatMap(({ layer, paired }) => (paired && (paired.low > 0 || paired.high < 0) ? [{ layer, paired }] : []))
    .sort((a, b) => Math.abs(b.paired.mean) - Math.abs(a.paired.mean));
}
