import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isAvailable } from '@/kernels/native/addon';
import type { NativeBackend } from '@/kernels/native/backend';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, disposeState, type Model } from '@/lib/models';
import { referenceCases } from '@/lib/models/testing/fixtures';
import { ADD_ON, needs } from '@/testing/needs';
import { generate, generateEach } from '.';

/** The cases of the repository, wherever they are found whole. */
const CASES = referenceCases().filter(({ name }) => existsSync(join('lib/models/testing/cases', name)));
const devices = isAvailable ? (['native', 'cpu'] as const) : (['cpu'] as const);

describe.each(devices)('generating on %s', (device) => {
  beforeAll(async () => {
    await openDevice({ device });
  });

  it.each(CASES)('$name continues with and without a state as the reference does', async ({ folder, greedy }) => {
    const model = createModel(await loadCheckpoint(folder));
    const rows = [greedy.prompt_tokens];
    const maxNewTokens = greedy.new_tokens.length;
    const before = tf.memory().numTensors;
    const { tokens, state } = generate(model, rows, { maxNewTokens });
    if (state) disposeState(state);
    expect(tokens).toEqual([greedy.new_tokens]);
    expect(generate(model, rows, { maxNewTokens, cache: false })).toEqual({ tokens, state: undefined });
    expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
    model.dispose();
  });
});

describe('generating', () => {
  let model: Model;
  beforeAll(async () => {
    await openDevice({ device: 'cpu' });
    model = createModel(await loadCheckpoint(CASES[0].folder));
  });

  it('continues each row of a batch as it continues the row alone', () => {
    const rows = [[1, 2, 3], [4], [5, 6, 7], [8]];
    const options = { maxNewTokens: 4, cache: true };
    const alone = rows.map((row) => generateEach(model, [row], options)[0]);
    expect(generateEach(model, rows, options)).toEqual(alone);
  });

  it('draws rows of a batch independently, and tells how far it is', () => {
    const sampling = { temperature: 5, seed: 3 };
    const told: number[] = [];
    const onToken = (done: number) => told.push(done);
    const rows = [[1, 2], [3], [1, 2]];
    const tokens = generateEach(model, rows, { maxNewTokens: 6, sampling, onToken });
    expect(tokens[0]).not.toEqual(tokens[2]);
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const others = [[1, 2], [9], [4, 4]];
    expect(generateEach(model, others, { maxNewTokens: 6, sampling })[0]).toEqual(tokens[0]);
  });

  it("goes on from a state, which stays its owner's", () => {
    const whole = generateEach(model, [[1, 2, 3, 4]], { maxNewTokens: 3 });
    const { state } = generate(model, [[1, 2]], { maxNewTokens: 0 });
    for (let time = 0; time < 2; time++)
      expect(generate(model, [[3, 4]], { maxNewTokens: 3, state }).tokens).toEqual(whole);
    expect(() => generate(model, [[3]], { maxNewTokens: 1, state, cache: false })).toThrow(/with the cache/);
  });
});

describe('memory of a long text on the native device', needs(isAvailable, ADD_ON), () => {
  it('is the same after many tokens: no tensor, no buffer is left behind', async () => {
    await openDevice({ device: 'native' });
    const folder = CASES.find(({ name }) => name === 'hf-diffmamba2-all')?.folder as string;
    const model = createModel(await loadCheckpoint(folder));
    const backend = tf.backend() as NativeBackend;
    const seen: { tensors: number; bytes: number; held: number }[] = [];
    const onToken = (done: number) => {
      if (done % 100 !== 0) return;
      const { numTensors: tensors, numBytes: bytes } = tf.memory();
      seen.push({ tensors, bytes, held: backend.pool.heldBytes });
    };
    const { state } = generate(model, [[1, 2, 3]], { maxNewTokens: 400, onToken });
    if (state) disposeState(state);
    expect(seen).toHaveLength(4);
    for (const each of seen) expect(each).toEqual(seen[0]);
    model.dispose();
  });
});
