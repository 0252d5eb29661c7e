import { expect, it } from 'vitest';
import { smallLabel } from './LayerStrip';

it('names the small maps of each model by its own blocks', () => {
  const plain = [{}, {}];
  const hybrid = [{}, { softmax: ['single' as const] }];
  expect(smallLabel('s6', plain)).toBe('S6 α');
  expect(smallLabel('s6', hybrid)).toBe('α, softmax');
  expect(smallLabel('norm', hybrid)).toBe('norm');
});
