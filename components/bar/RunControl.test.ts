import { describe, expect, it } from 'vitest';
import type { Progress, RunRequest } from '@/lib/api/schemas';
import { phase } from './RunControl';

const at = (progress: Partial<Progress>): Progress => {
  return { model: 0, stage: 'forward', layer: 12, layers: 48, secondsLeft: null, share: 0, ...progress };
};
const of = (...models: string[]) => ({ models }) as RunRequest;

describe('phase', () => {
  it('names the model where there are two, and what is done with it', () => {
    expect(phase(of('a', 'b'), at({ model: 1 }))).toBe('B: layer 12 of 48');
  });

  it('counts weights in percent once some were read', () => {
    expect(phase(of('a', 'b'), at({ stage: 'loading', layer: 0, layers: 1 }))).toBe('A: loading weights');
    expect(phase(of('a'), at({ stage: 'loading', layer: 999, layers: 1000 }))).toBe('loading weights, 99 %');
  });
});
