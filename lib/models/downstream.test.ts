import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { BLOCK_KINDS } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import { createModel, type Hook, type Model } from '@/lib/models';
import { downstream, isParameter } from './testing/dependencies';
import { referenceCases } from './testing/fixtures';

const TOKENS = [[5, 17, 3, 42, 8, 8, 21]];

/** One short case per kind with two blocks; some kinds only where the full set of references is at hand. */
const CASES = BLOCK_KINDS.flatMap((kind) => {
  const found = referenceCases().find(
    ({ name, blocks }) => blocks[0] === kind && blocks.length > 1 && !/^(len1|long)/.test(name),
  );
  return found ? [{ kind, ...found }] : [];
});

const halved: Hook[1] = (value) => value.mul(0.5).add(0.1);

describe.each(CASES)('every hook point of $kind', ({ kind, folder }) => {
  let model: Model;
  let points: string[];
  beforeAll(async () => {
    await openDevice();
    model = createModel(await loadCheckpoint(folder));
    const { cache } = model.runWithCache(TOKENS, { names: ['*'] });
    points = [...cache.keys()].filter((name) => !/hook_h\.[^3]/.test(name));
  });
  const run = (hooks: Hook[]) => model.runWithCache(TOKENS, { names: points, hooks }).cache;

  it('replaced, changes everything downstream and nothing else', () => {
    const plain = run([]);
    const inFirst = points.filter((name) => name.startsWith('blocks.0.')).map((name) => name.slice('blocks.0.'.length));
    const later = points.filter((name) => !/^blocks\.0\.|^hook_embed$/.test(name) && !isParameter(name));
    const expected = new Map<string, Iterable<string>>([
      ['hook_embed', points.filter((name) => !isParameter(name))],
      ['hook_norm', ['hook_norm', 'hook_logits']],
      ['hook_logits', ['hook_logits']],
      ...inFirst.map((point) => {
        const own = [...downstream(kind, point, inFirst)].map((name) => `blocks.0.${name}`);
        return [`blocks.0.${point}`, [...own, ...later]] as const;
      }),
    ]);
    expect(expected.size).toBeGreaterThan(15);
    for (const [point, names] of expected) {
      const after = run([[point, halved]]);
      // The same kernels run on the same inputs wherever the edit does not reach: not a bit may differ there.
      const changed = points.filter((name) => !same(plain.get(name) as tf.Tensor, after.get(name) as tf.Tensor));
      expect(new Set(changed), `what changes after replacing ${point}`).toEqual(new Set(names));
      tf.dispose([...after.values()]);
    }
  });

  it('lets gradients through: they are the slopes of the loss', () => {
    for (const point of points.filter((name) => !/^blocks\.[1-9]/.test(name))) {
      const plain = model.runWithCache(TOKENS, { names: [point] }).cache.get(point) as tf.Tensor;
      const loss = (edit: tf.Tensor) =>
        model
          .runWithHooks(TOKENS, [[point, (value) => value.add(edit)]])
          .square()
          .mean();
      const { value, grad } = tf.valueAndGrad(loss)(tf.zerosLike(plain));
      const [height, slope, size] = [value, grad.norm(), plain.norm()].map((each) => each.dataSync()[0]);
      expect(slope, `gradient at ${point}`).toBeGreaterThan(0);
      // Far enough for float32 to see the change, near enough for a straight line.
      const step = Math.min((5e-4 * height) / slope, 1e-2 * size);
      const [up, down] = [step, -step].map((s) => loss(grad.mul(s / slope)).dataSync()[0]);
      const rounding = (2e-6 * height) / (step * slope);
      expect(Math.abs((up - down) / (2 * step * slope) - 1), `gradient at ${point}`).toBeLessThan(0.02 + rounding);
    }
  });

  it('costs the memory of what it keeps, and no more', () => {
    const before = tf.memory().numBytes;
    for (const names of [[], ['hook_embed'], ['blocks.0.*hook_delta'], ['*']]) {
      const { logits, cache } = model.runWithCache(TOKENS, { names });
      const bytes = [logits, ...cache.values()].reduce((sum, tensor) => sum + 4 * tensor.size, 0);
      expect(tf.memory().numBytes - before, names.join()).toBe(bytes);
      tf.dispose([logits, ...cache.values()]);
    }
    expect(tf.memory().numBytes).toBe(before);
  });
});

function same(a: tf.Tensor, b: tf.Tensor): boolean {
  const [x, y] = [a.dataSync(), b.dataSync()];
  return x.every((value, i) => value === y[i]);
}
