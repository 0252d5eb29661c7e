import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, listen, type Model, matcher } from '@/lib/models';
import { referenceCases } from './testing/fixtures';

const TOKENS = [[5, 17, 3, 42, 8, 8, 21]];
/** One case per kind of block with two blocks at least; those that are not in the repository only where they are at hand. */
const EDITED = [
  'hf-mamba1-bias',
  'hf-mamba2-groups',
  'hf-diffmamba2-all',
  'statescope-diff-mamba1-sigmoid',
  'statescope-diff-mamba2e',
  'statescope-diff-s6',
  'statescope-diff-s6-mamba2',
];
describe('a pattern', () => {
  it.each<[string, string, boolean]>([
    ['blocks.*.hook_delta', 'blocks.3.hook_delta', true],
    ['blocks.*.hook_delta', 'blocks.3.mixer_1.hook_delta', true],
    ['blocks.*.hook_delta', 'blocks.3.hook_delta_1', false],
    ['blocks.1.*', 'blocks.11.hook_delta', false],
    ['*', '', true],
    ['*hook*', 'hook', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*ab*ba', 'aba', false],
    ['*ab*ba', 'abba', true],
    ['x*b*b', 'xbcb', true],
    ['a*b*c', 'abbcbc', true],
    ['(.+)*', '(.+)x', true],
    ['.*', 'a', false],
  ])('%s on %s', (pattern, name, matches) => {
    expect(matcher(pattern)(name)).toBe(matches);
  });

  it('of any number of stars is tried in one pass', () => {
    const name = 'a'.repeat(2000);
    expect(matcher(`${'*'.repeat(2000)}x`)(name)).toBe(false);
    expect(matcher(`${'*a'.repeat(500)}*b*a`)(name)).toBe(false);
    expect(matcher(`${'*a'.repeat(500)}`)(name)).toBe(true);
  });
});

const edited = referenceCases().filter(({ name }) => EDITED.includes(name));

describe('hooks', () => {
  it('match names with wildcards', () => {
    const seen: string[] = [];
    const tap = listen([['blocks.*.hook_delta', (_, name) => void seen.push(name)]]);
    const value = tf.scalar(1);
    tap.scope('blocks.3').scope('mixer_1').at('hook_delta', value);
    tap.scope('blocks.3').at('hook_delta_2', value);
    tap.at('hook_delta', value);
    expect(seen).toEqual(['blocks.3.mixer_1.hook_delta']);
    expect(tap.scope('blocks.3').wants('hook_delta')).toBe(true);
    expect(tap.scope('blocks.3').wants('hook_h')).toBe(false);
  });

  it('refuse a replacement of another shape, naming the point', () => {
    const tap = listen([['hook_embed', () => tf.zeros([2])]]);
    expect(() => tap.at('hook_embed', tf.zeros([3]))).toThrow(/hook_embed returned shape \[2\].*\[3\]/);
  });
});

describe.each(edited)('replacing tensors in $name', ({ folder }) => {
  let model: Model;
  beforeAll(async () => {
    await openDevice({ device: 'cpu' });
    model = createModel(await loadCheckpoint(folder));
  });

  const cached = (names: string[], hooks: Parameters<Model['runWithHooks']>[1] = []) =>
    model.runWithCache(TOKENS, { names, hooks }).cache;
  /** More than two orders of the same sums can differ in float32. */
  const differs = (a: tf.Tensor, b: tf.Tensor) =>
    a.sub(b).abs().max().dataSync()[0] > 1e-5 * Math.max(a.abs().max().dataSync()[0], 1e-6);

  it('gives one answer by the fused and by the explicit path', () => {
    const fused = model.forward(TOKENS);
    const explicit = model.runWithHooks(TOKENS, [['blocks.*', () => undefined]]);
    expect(differs(fused, explicit)).toBe(false);
  });

  it('leaves a tensor that a hook supplied to its owner', () => {
    const own = tf.ones([1, TOKENS[0].length, model.config.d]);
    const supply = () => own;
    model.runWithHooks(TOKENS, [
      ['hook_embed', supply],
      ['blocks.0.hook_resid_post', supply],
    ]);
    expect(own.isDisposed).toBe(false);
  });

  it('patches one state: later positions change, earlier ones do not', () => {
    const point = [...cached(['blocks.0.*']).keys()].find((at) => at.endsWith('hook_h.3')) as string;
    const before = model.forward(TOKENS);
    const after = model.runWithHooks(TOKENS, [[point, (h) => h.mul(0)]]);
    expect(differs(before.slice([0, 0, 0], [1, 3, -1]), after.slice([0, 0, 0], [1, 3, -1]))).toBe(false);
    expect(differs(before.slice([0, 4, 0], [1, 1, -1]), after.slice([0, 4, 0], [1, 1, -1]))).toBe(true);
  });
});

describe('memory', () => {
  it('grows with what was asked for: a few states are not all states', async () => {
    await openDevice({ device: 'cpu' });
    const mamba1 = referenceCases().find(({ name }) => name === 'hf-mamba1-bias');
    const model = createModel(await loadCheckpoint((mamba1 as { folder: string }).folder));
    const { E, N } = model.config.blocks[0].mixer;
    const L = 256;
    const tokens = [Array.from({ length: L }, (_, t) => (7 * t) % 100)];
    const profile = async (names: string[]) => {
      let kept = 0;
      const { peakBytes } = await tf.profile(() => {
        const { logits, cache } = model.runWithCache(tokens, { names });
        kept = [...cache.values()].reduce((sum, value) => sum + 4 * value.size, 0);
        tf.dispose([logits, ...cache.values()]);
      });
      return { kept, peakBytes };
    };
    const few = await profile(['blocks.0.hook_h.3', 'blocks.0.hook_h.200']);
    const all = await profile(['blocks.0.hook_h']);
    expect(few.kept).toBe(2 * 4 * E * N);
    expect(all.kept).toBe(L * 4 * E * N);
    expect(all.peakBytes - few.peakBytes).toBeGreaterThan(0.8 * L * 4 * E * N);
  });
});
