import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunRequestSchema } from '@/lib/api/schemas';
import { openDevice } from '@/lib/engine';
import type { Message } from '../protocol';
import type { Settings } from '../settings';
import { makeWorkspace, request, type Workspace } from '../testing/workspace';
import { Computer } from './computer';

let workspace: Workspace;

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
});

afterAll(() => workspace.remove());

function computerOf(overrides: Partial<Settings> = {}) {
  const messages: Message[] = [];
  const computer = new Computer({ ...workspace.settings, ...overrides }, (message) => messages.push(message));
  const prepare = (models: string[]) => computer.answer('prepare', RunRequestSchema.parse(request({ models })));
  const cancel = new Int32Array(1);
  const run = async (id: string, models: string[]) =>
    computer.answer('run', { id, models: await prepare(models), cancel });
  const released = () => messages.flatMap((message) => (message.kind === 'released' ? message.ids : []));
  return { computer, messages, prepare, run, cancel, released };
}

/** Bytes of one run of the plain model: room for it and nothing else. */
const ROOM = 60_000;

describe('Computer', () => {
  it('leaves no tensor behind, whether a run ends, is cancelled or is read', async () => {
    const { computer, run, cancel, messages } = computerOf();
    await run('first', ['plain', 'diff']);
    const tensors = tf.memory().numTensors;
    await run('second', ['plain', 'diff']);
    await computer.answer('signal', { id: 'second', query: { model: 1, position: 2 } });
    await computer.answer('lens', { id: 'second', query: { target: 3 } });
    await computer.answer('map', { id: 'second', query: { layer: 0, reduce: 'mean_abs' } });
    expect(tf.memory().numTensors).toBe(tensors);
    const running = run('third', ['plain', 'diff']);
    while (!messages.some((m) => m.kind === 'update' && m.id === 'third' && m.update.type === 'layer'))
      await new Promise((resolve) => setImmediate(resolve));
    cancel[0] = 1;
    expect(await running).toBe('cancelled');
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('releases the oldest run to make room, and says so', async () => {
    const { computer, run, released } = computerOf({ runBytes: ROOM });
    await run('a', ['plain']);
    expect(released()).toEqual([]);
    await run('b', ['plain']);
    expect(released()).toEqual(['a']);
    await expect(computer.answer('map', { id: 'a', query: { layer: 0 } })).rejects.toMatchObject({ status: 409 });
    await expect(computer.answer('map', { id: 'b', query: { layer: 0 } })).resolves.toBeInstanceOf(Uint8Array);
  });

  it('refuses a run that could never fit', async () => {
    const { prepare } = computerOf({ runBytes: ROOM / 4 });
    await expect(prepare(['plain'])).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining('activations'),
    });
  });

  it('drops models that nobody uses when they weigh too much, and loads them again', async () => {
    const { computer, run } = computerOf({ modelBytes: 1 });
    const before = tf.memory().numTensors;
    await run('a', ['plain']);
    await run('b', ['diff']);
    expect(tf.memory().numTensors).toBe(before);
    await expect(computer.answer('signal', { id: 'a', query: {} })).resolves.toMatchObject({ position: 15 });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('uses new weights when the files change, and refuses to read an old run through them', async () => {
    const { computer, run } = computerOf();
    await run('old', ['plain']);
    const tensors = tf.memory().numTensors;
    await utimes(join(workspace.root, 'models', 'plain', 'model.safetensors'), 1, 1);
    await expect(computer.answer('signal', { id: 'old', query: {} })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('have changed'),
    });
    expect(await run('new', ['plain'])).toBe('done');
    await expect(computer.answer('signal', { id: 'new', query: {} })).resolves.toBeDefined();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('computes the other model when one fails', async () => {
    const { computer, messages, prepare } = computerOf();
    const [plain, diff] = await prepare(['plain', 'diff']);
    const broken = { ...plain, target: { id: 10_000, text: '?' } };
    await expect(
      computer.answer('run', { id: 'x', models: [broken, diff], cancel: new Int32Array(1) }),
    ).rejects.toThrow(/^plain: .*10000/);
    const updates = messages.flatMap((message) => (message.kind === 'update' ? [message.update] : []));
    expect(updates.filter(({ type }) => type === 'failure')).toHaveLength(1);
    expect(updates).toContainEqual({ type: 'lens', model: 1 });
    await expect(computer.answer('map', { id: 'x', query: { model: 0, layer: 3 } })).resolves.toBeDefined();
  });

  it('warms up without leaving a run behind', async () => {
    const { computer, messages } = computerOf();
    await computer.warmUp();
    expect(messages).toEqual([]);
    await expect(computer.answer('map', { id: 'warm-up', query: { layer: 0 } })).rejects.toMatchObject({ status: 409 });
  });

  it('stops warming up for a run', async () => {
    const { computer, run } = computerOf();
    const before = tf.memory().numTensors;
    const warming = computer.warmUp();
    expect(await run('a', ['plain'])).toBe('done');
    await warming;
    expect(tf.memory().numTensors).toBeGreaterThan(before);
  });
});
