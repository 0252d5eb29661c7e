import { cp, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunRequestSchema } from '@/lib/api/schemas';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { decodeSafetensors, encodeSafetensors } from '@/lib/safetensors';
import { TOKEN_TRACKS } from '@/lib/vocabulary';
import type { Message } from '../protocol';
import type { Settings } from '../settings';
import { OneThread } from '../testing/one-thread';
import { makeWorkspace, read, request, type Workspace } from '../testing/workspace';
import { changeSince } from './models/loaded-models';
import { loadingCost, runCost, sum, UNITS } from './runs/costs';
import { Pace } from './runs/pace';

let workspace: Workspace;

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
});

afterAll(() => workspace.remove());

function computerOf(overrides: Partial<Settings> = {}) {
  const messages: Message[] = [];
  const computer = new OneThread({ ...workspace.settings, ...overrides }, (message) => messages.push(message));
  const prepare = (models: string[]) => computer.reader.answer('prepare', RunRequestSchema.parse(request({ models })));
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
    await read(computer, 'second', 'signal', { model: 1, position: 2 });
    await read(computer, 'second', 'lens', { target: 3 });
    await read(computer, 'second', 'map', { layer: 0, reduce: 'mean_abs' });
    expect(tf.memory().numTensors).toBe(tensors);
    const running = run('third', ['plain', 'diff']);
    while (!messages.some((m) => m.kind === 'update' && m.id === 'third' && m.update.type === 'layer'))
      await new Promise((resolve) => setImmediate(resolve));
    cancel[0] = 1;
    expect(await running).toBe('cancelled');
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('answers every form of a map, statistics, pairs and rollouts of a run', async () => {
    const { computer, run } = computerOf();
    await run('forms', ['plain', 'diff']);
    const tensors = tf.memory().numTensors;
    const map = async (query: object) =>
      decodeSafetensors((await read(computer, 'forms', 'map', { layer: 0, ...query })).buffer);
    const signal = await read(computer, 'forms', 'signal', {});
    for (const query of [
      { form: 'block', reduce: 'max' },
      { form: 'block', reduce: 'channel:1' },
      { form: 'logit', target: 3 },
      { form: 'norm' },
      { form: 'logit', model: 1, branch: 'lambda_mixer_2' },
      { form: 'norm', model: 1 },
    ]) {
      const { tensors, metadata } = await map(query);
      expect(Number(metadata.reconstruction_error), JSON.stringify(query)).toBeLessThan(1e-3);
      expect(Number(metadata.ms)).toBeGreaterThan(0);
      expect(metadata.form).toBe(query.form);
      expect(tensors.has('rest')).toBe(query.form === 'logit' || query.reduce === 'channel:1');
    }
    const channels = decodeSafetensors((await read(computer, 'forms', 'channels', { layer: 0 })).buffer);
    const entropy = channels.tensors.get('single.entropy')?.data.length as number;
    expect(channels.tensors.get('single.delta')?.shape).toEqual([signal.position + 1, entropy]);
    const pair = { layer: 0, i: 5, j: 2, k: 2 };
    const delta = channels.tensors.get('single.delta')?.data as Float32Array;
    const tracks = async (unit: string) => {
      const body = await read(computer, 'forms', 'tracks', { layer: 0, unit });
      return decodeSafetensors(body.buffer);
    };
    const second = await tracks('1');
    expect(second.metadata).toMatchObject({ unit: '1', branches: 'single' });
    expect(second.tensors.get('single.delta')?.data[2]).toBe(delta[2 * entropy + 1]);
    for (const name of TOKEN_TRACKS)
      expect((await tracks('mean')).tensors.get(`single.${name}`)?.shape).toEqual([signal.position + 1]);
    await expect(tracks('9999')).rejects.toThrow(/there is no head 9999/);
    const { unit, channels: strongest } = await read(computer, 'forms', 'pair', pair);
    const [{ index, value }] = strongest;
    const single = await map({ reduce: `${unit}:${index}` });
    expect(single.tensors.get('map')?.data[5 * (signal.position + 1) + 2]).toBeCloseTo(value, 5);
    const whole = await read(computer, 'forms', 'pair', { ...pair, form: 'block' });
    expect(whole.unit).toBe('channel');
    const all = await read(computer, 'forms', 'rollout', { model: 1, start: 1, method: 'plain' });
    expect(decodeSafetensors(all.buffer).metadata.convention).toContain('from 1');
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it.each([
    ['map', { layer: 99, form: 'norm' }, 404],
    ['map', { layer: 0, form: 'norm', branch: 'diff' }, 422],
    ['map', { layer: 0, form: 'block', reduce: 'channel:99999' }, 422],
    ['pair', { layer: 0, i: 1, j: 0, branch: 'mixer_1' }, 422],
  ] as const)('refuses %s %j', async (method, query, status) => {
    const { computer, run } = computerOf();
    await run('refused', ['plain']);
    await expect(read(computer, 'refused', method, query as never)).rejects.toMatchObject({ status });
  });

  it('releases the oldest run to make room, and says so', async () => {
    const { computer, run, released } = computerOf({ runBytes: ROOM });
    await run('a', ['plain']);
    expect(released()).toEqual([]);
    await run('b', ['plain']);
    expect(released()).toEqual(['a']);
    await expect(read(computer, 'a', 'map', { layer: 0 })).rejects.toMatchObject({ status: 409 });
    await expect(read(computer, 'b', 'map', { layer: 0 })).resolves.toBeInstanceOf(Uint8Array);
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
    await expect(read(computer, 'a', 'signal', {})).resolves.toMatchObject({ position: 15 });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('uses new weights when the files change, and refuses to read an old run through them', async () => {
    const { computer, run } = computerOf();
    await run('old', ['plain']);
    const tensors = tf.memory().numTensors;
    await utimes(join(workspace.root, 'models', 'plain', 'model.safetensors'), 1, 1);
    await expect(read(computer, 'old', 'signal', {})).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('have changed'),
    });
    expect(await run('new', ['plain'])).toBe('done');
    await expect(read(computer, 'new', 'signal', {})).resolves.toBeDefined();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('keeps matrices in bf16 where told to, and does not mix the two in one run', async () => {
    const float = computerOf();
    await float.run('one', ['plain']);
    const rounded = computerOf({ weights: 'bf16', dataFolder: null });
    await rounded.run('one', ['plain']);
    const [exact, near] = await Promise.all(
      [float, rounded].map(async ({ computer }) => (await read(computer, 'one', 'signal', {})).target_logprob),
    );
    // Eight bits of mantissa: 2⁻⁸ a weight, far beyond float32's own rounding and far from another model.
    const apart = Math.max(...exact.map((value, k) => Math.abs((value ?? 0) - (near[k] ?? 0))));
    expect(apart).toBeGreaterThan(1e-5);
    expect(apart).toBeLessThan(0.05);
    expect(changeSince('a', 'a')).toBeUndefined();
    expect(changeSince('a', 'a in bf16')).toBe('its weights were in float32 and are in bf16 now (STATESCOPE_WEIGHTS)');
    expect(changeSince('a in bf16', 'b')).toBe('its files have changed, or its tokenizer');
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
    await expect(read(computer, 'x', 'map', { model: 0, layer: 3 })).resolves.toBeDefined();
  });

  it('warms up without leaving a run behind', async () => {
    const { computer, messages } = computerOf();
    await computer.warmUp();
    // What it learns of the device is told, but no run.
    expect(messages.filter(({ kind }) => kind !== 'loaded' && kind !== 'observed')).toEqual([]);
    await expect(read(computer, 'warm-up', 'map', { layer: 0 })).rejects.toMatchObject({ status: 409 });
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

describe('weights whose numbers outgrow float32', () => {
  it('end a run with a sentence, and no reading answers with what is not finite', async () => {
    const models = join(workspace.root, 'models');
    await cp(join(models, 'plain'), join(models, 'huge'), { recursive: true });
    const path = join(models, 'huge', 'model.safetensors');
    const { tensors, metadata } = decodeSafetensors(new Uint8Array(await readFile(path)).buffer);
    tensors.get('backbone.layers.1.mixer.in_proj.weight')?.data.fill(1e38);
    await writeFile(path, encodeSafetensors(Object.fromEntries(tensors), metadata));
    const { computer, run } = computerOf();
    await expect(run('huge', ['huge'])).rejects.toThrow(/The map of layer 1 is not finite/);
    for (const name of ['attribution', 'answer'] as const)
      await expect(read(computer, 'huge', name, {})).rejects.toMatchObject({
        status: 422,
        message: expect.stringContaining('not finite'),
      });
  });
});

describe('what a run will take', () => {
  it('is known of every stage after a probe, and learned of every stage that runs', async () => {
    const { computer, messages, run } = computerOf();
    await computer.calibrate();
    const observed = () => messages.flatMap((message) => (message.kind === 'observed' ? [message] : []));
    const unitsOf = (probe: boolean) =>
      new Set(observed().flatMap((message) => (message.probe === probe ? Object.keys(message.observation.cost) : [])));
    const stages = UNITS.filter((unit) => unit !== 'run');
    expect([...unitsOf(true)].sort()).toEqual([...stages].sort());
    expect(observed().every(({ observation }) => observation.seconds > 0)).toBe(true);
    const pace = new Pace();
    for (const { observation, probe } of observed()) pace.add(observation, probe);
    const { config } = await loadCheckpoint(join(workspace.root, 'models', 'plain'), 'plain');
    expect(pace.expect(sum([runCost(config, 16), loadingCost(1e4)]))).toBeGreaterThan(0);

    await run('observed', ['plain', 'diff']);
    expect([...unitsOf(false)].sort()).toEqual([...UNITS].sort());
  });

  it('is told from the first step on, where the device is known', async () => {
    const { computer, messages, run } = computerOf();
    await computer.calibrate();
    await run('forecast', ['plain', 'diff']);
    const told = messages.flatMap((message) =>
      message.kind === 'update' && message.update.type === 'progress' ? [message.update.progress] : [],
    );
    const left = told.map(({ secondsLeft }) => secondsLeft as number);
    expect(left[0]).toBeGreaterThan(0);
    // More time is asked for only where the machine has clearly become slower, and what is done is never taken back.
    for (const [k, seconds] of left.entries())
      if (k > 0 && seconds > left[k - 1]) expect(seconds).toBeGreaterThan(1.3 * left[k - 1] + 1);
    const shares = told.map(({ share }) => share);
    expect([...shares].sort((a, b) => a - b)).toEqual(shares);
    expect(shares.at(-1)).toBeGreaterThan(shares[0]);
  });
});
