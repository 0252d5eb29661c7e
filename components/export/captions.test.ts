import { describe, expect, it } from 'vitest';
import type { View } from '../data/view';
import { fileName, noteOf, titleOf } from './captions';

const run = (id: string, prompt: string) => ({ id, timing: { createdAt: 0 }, request: { prompt, target: ' kitchen' } });
const [one, two] = [run('r1', 'Mary went'), run('r2', 'John\nwent')];
const view = (...runs: ReturnType<typeof run>[]) =>
  ({
    run: runs[0],
    layer: 3,
    stale: false,
    models: runs.map((of, k) => ({ run: of, slot: 'AB'[k], name: `m${k}` })),
  }) as unknown as View;

describe('captions of exports', () => {
  it('name one run once', () => {
    expect(titleOf(view(one, one))).toBe('Statescope, run r1');
    expect(fileName(view(one, one))).toBe('statescope-r1');
    expect(noteOf(view(one, one))).toBe(
      'Statescope, layer 3, run r1, 1970-01-01 00:00 UTC. A: m0, B: m1. Prompt: “Mary went”, target “kitchen”.',
    );
  });

  it('name both runs of a comparison, each with its own prompt', () => {
    expect(titleOf(view(one, two))).toBe('Statescope, runs r1 and r2');
    expect(fileName(view(one, two))).toBe('statescope-r1-r2');
    expect(noteOf(view(one, two))).toMatch(
      /run r1.*A: m0\. Prompt: “Mary went”.* And run r2.*B: m1\. Prompt: “John went”/,
    );
  });
});
