import { expect, it } from 'vitest';
import type { AllocationResult, LayerAllocation } from '@/lib/api/allocation';
import { allocationFinding, tellingLayers } from './allocationFinding';

const layer = (
  index: number,
  value: { mean: number; low?: number; high?: number } | null,
  chance: number | null = 0.2,
) =>
  ({ layer: index, chance, differential: false, net: { needle_against_context: value } }) as unknown as LayerAllocation;

it('names the layer that reads most of the needle, and only what its interval bears', () => {
  const layers = [layer(0, { mean: 0.3 }), layer(1, { mean: 0.5, low: 0.4, high: 0.6 }), layer(2, null)];
  expect(allocationFinding(layers, 'net')).toMatchObject({ layer: 1, against: 'more' });
  expect(allocationFinding([layer(0, { mean: 0.3, low: 0.1, high: 0.5 })], 'net')?.against).toBeUndefined();
  expect(allocationFinding([layer(0, { mean: 0.1, low: 0.05, high: 0.15 })], 'net')?.against).toBe('less');
  expect(allocationFinding([layer(0, { mean: 0.3 }, null)], 'net')).not.toHaveProperty('against');
  expect(allocationFinding([layer(2, null)], 'net')).toBeUndefined();
  expect(allocationFinding(undefined, 'net')).toBeUndefined();
});

it('counts differences whose interval leaves out zero, the largest first, second model minus first', () => {
  const paired = (index: number, mean: number, low: number, high: number) => ({
    layer: index,
    needle_against_context: { mean, low, high, p: 0.01 },
  });
  const layers = [paired(0, 0.1, 0.05, 0.15), paired(1, 0.3, -0.1, 0.7), paired(2, -0.2, -0.3, -0.1)];
  const result = { paired: [{ models: ['a', 'b'], layers }] } as unknown as AllocationResult;
  expect(tellingLayers(result, ['a', 'b'], 3).map(({ layer: at }) => at)).toEqual([2, 0]);
  expect(tellingLayers(result, ['b', 'a'], 3)[0].paired).toMatchObject({ mean: 0.2, low: 0.1 });
  expect(tellingLayers(undefined, ['a', 'b'], 3)).toEqual([]);
});
