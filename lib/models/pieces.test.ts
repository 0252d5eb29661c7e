import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { PIECE } from './pieces';
import { referenceCases } from './testing/fixtures';

const seen = new Set<string>();
/** One case of each kind of block. */
const cases = referenceCases().filter(({ blocks }) => {
  const isNew = blocks.some((kind) => !seen.has(kind));
  for (const kind of blocks) seen.add(kind);
  return isNew;
});

describe.each(cases)('a text longer than a piece on $name', ({ folder }) => {
  let model: Model;
  const L = PIECE + 71;
  const text = (V: number) => [0, 1].map((row) => Array.from({ length: L }, (_, t) => (t * t + 7 * t + row) % V));

  beforeAll(async () => {
    await openDevice();
    model = createModel(await loadCheckpoint(folder));
  });

  it('has the logits of one long pass, at every position, at the last and at chosen ones, and leaves nothing behind', () => {
    const tokens = text(model.config.V);
    // Whoever observes makes the pass go through at once.
    const expected = model.runWithHooks(tokens, [['nothing', () => undefined]]);
    const before = tf.memory().numTensors;
    const all = model.forward(tokens);
    const last = model.forward(tokens, { logits: 'last' });
    const chosen = [L - 3, 5, PIECE, PIECE - 1, 5];
    const few = model.forward(tokens, { logits: chosen });
    expect(tf.memory().numTensors - before).toBe(3);
    const error = (got: tf.Tensor, positions: number[]) =>
      tf.tidy(() => {
        const wanted = expected.gather(tf.tensor1d(positions, 'int32'), 1);
        return got.sub(wanted).abs().max().div(wanted.abs().max()).dataSync()[0];
      });
    expect(error(all, [...tokens[0].keys()])).toBeLessThan(1e-5);
    expect(error(last, [L - 1])).toBeLessThan(1e-5);
    expect(error(few, chosen)).toBeLessThan(1e-5);
    tf.dispose([expected, all, last, few]);
    model.dispose();
  });
});
