import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AskedReading,
  MapMetadataSchema,
  RolloutMetadataSchema,
  ThumbnailsMetadataSchema,
} from '@/lib/api/readings';
import { RunRequestSchema } from '@/lib/api/schemas';
import { openDevice } from '@/lib/engine';
import { decodeSafetensors } from '@/lib/safetensors';
import type { Branch } from '@/lib/vocabulary';
import type { Settings } from '../../settings';
import { OneThread } from '../../testing/one-thread';
import { makeWorkspace, read, request, type Workspace } from '../../testing/workspace';

let workspace: Workspace;

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
});
afterAll(() => workspace.remove());

/** A computer that has run a plain and a differential model. */
async function ran(overrides: Partial<Settings> = {}) {
  const computer = new OneThread({ ...workspace.settings, ...overrides }, () => undefined);
  const models = await computer.reader.answer(
    'prepare',
    RunRequestSchema.parse(request({ models: ['plain', 'diff'] })),
  );
  await computer.answer('run', { id: 'run', models, cancel: new Int32Array(1) });
  const map = async (query: AskedReading<'map'>, withdrawn?: Int32Array) => {
    const body = await read(computer, 'run', 'map', query, withdrawn);
    const { tensors, metadata } = decodeSafetensors(body.buffer);
    return { data: tensors.get('map')?.data as Float32Array, metadata: MapMetadataSchema.parse(metadata) };
  };
  const estimate = (query: AskedReading<'map'>) => read(computer, 'run', 'map/estimate', query);
  const rollout = async (query: object) => {
    const { tensors, metadata } = decodeSafetensors((await read(computer, 'run', 'rollout', query)).buffer);
    return { data: tensors.get('map')?.data as Float32Array, metadata: RolloutMetadataSchema.parse(metadata) };
  };
  return { computer, map, estimate, rollout };
}

/** Bytes that the default maps of both models take, and nothing more. */
async function enoughForRuns(): Promise<number> {
  const { estimate } = await ran();
  const layers = [0, 1].flatMap((model) => [0, 1, 2].map((layer) => estimate({ model, layer })));
  return Math.max(...(await Promise.all(layers)).map(({ bytes }) => bytes));
}

const FORMS = [
  { layer: 0, form: 's6' },
  { layer: 0, form: 'block', without: ['gate', 'D'] },
  { layer: 0, form: 'logit' },
  { layer: 0, form: 'norm' },
] as const;

describe('a map', () => {
  it.each(FORMS)('states what it takes before it is made, and is made once: %j', async (query) => {
    const { computer, map, estimate } = await ran();
    const before = await estimate(query);
    expect(before).toMatchObject({ kept: query.form === 's6', limit_bytes: workspace.settings.mapBytes });
    expect(before.bytes).toBeGreaterThan(0);
    const first = await map(query);
    expect(first.metadata.memory_bytes).toBe(before.bytes);
    expect((await estimate(query)).kept).toBe(true);
    expect((await map(query)).metadata.ms).toBe(first.metadata.ms);
    await computer.answer('forget', 'run');
    await expect(map(query)).rejects.toMatchObject({ status: 409 });
  });

  it('of a form is kept apart from others of the layer', async () => {
    const { map } = await ran();
    const maps = await Promise.all([
      map({ layer: 0, form: 'block' }),
      map({ layer: 0, form: 'block', without: ['D'] }),
      map({ layer: 0, form: 'block', reduce: 'channel:1' }),
      map({ layer: 1, form: 'block' }),
      map({ layer: 0, form: 'logit', target: 3 }),
      map({ layer: 0, form: 'logit', target: 4 }),
      map({ layer: 0, form: 'norm' }),
      map({ layer: 0, form: 'norm', model: 1 }),
    ]);
    for (const [a, one] of maps.entries())
      for (const other of maps.slice(a + 1)) expect(one.data).not.toEqual(other.data);
  });

  it('of a difference is that of the branches', async () => {
    const { map } = await ran();
    const of = (branch: Branch) => map({ model: 1, layer: 0, form: 'block', branch });
    const [first, second, diff] = [await of('mixer_1'), await of('lambda_mixer_2'), await of('diff')];
    for (const [k, value] of diff.data.entries()) expect(value).toBeCloseTo(first.data[k] - second.data[k], 6);
  });

  it('without a part is that part’s ablation', async () => {
    const { map } = await ran();
    const { data, metadata } = await map({ layer: 0, form: 'block', without: ['conv'] });
    expect(metadata.convention).toContain('without conv');
    expect(data).not.toEqual((await map({ layer: 0, form: 'block' })).data);
  });

  it.each(FORMS)('is refused where it takes too much memory: %j', async (query) => {
    const { map, estimate: ask } = await ran({ mapBytes: await enoughForRuns() });
    if (query.form === 's6') return expect(map(query)).resolves.toBeDefined();
    const refusal = { status: 422, message: expect.stringMatching(/about \d+ MB; the limit is \d+ MB/) };
    await expect(map(query)).rejects.toMatchObject(refusal);
    await expect(ask(query)).rejects.toMatchObject(refusal);
  });

  it('refuses a run whose default maps would', async () => {
    await expect(ran({ mapBytes: 1000 })).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining('form s6'),
    });
  });

  it.each([
    [{ layer: 0, form: 'norm', without: ['D'] }, /form block only/],
    [{ layer: 0, form: 's6', without: ['D'] }, /form block only/],
    [{ layer: 0, form: 'logit', target: 1e6 }, /outside the vocabulary/],
  ] as const)('refuses %j', async (query, message) => {
    const { map } = await ran();
    await expect(map(query)).rejects.toMatchObject({ message: expect.stringMatching(message) });
  });

  it('ends when nobody waits for it any more, and not before', async () => {
    const { map } = await ran();
    const tensors = tf.memory().numTensors;
    const query = { layer: 0, form: 'norm' } as const;
    const [one, other] = [new Int32Array(1), new Int32Array(1)];
    const both = [map(query, one), map(query, other)];
    one[0] = 1;
    const [first] = await Promise.all(both);
    expect(first.metadata.form).toBe('norm');
    const gone = map({ ...query, layer: 1 }, one);
    await expect(gone).rejects.toMatchObject({ status: 499 });
    expect(tf.memory().numTensors).toBe(tensors);
    expect((await map({ ...query, layer: 1 }, other)).metadata.form).toBe('norm');
  });

  it('of the norm form lets other requests be answered meanwhile', async () => {
    const { map } = await ran();
    const order: string[] = [];
    const slow = map({ layer: 0, form: 'norm' }).then(() => order.push('norm'));
    setImmediate(() => order.push('another'));
    await slow;
    expect(order).toEqual(['another', 'norm']);
  });
});

describe('a rollout', () => {
  it('of every method names its convention and memory, and starts where it should', async () => {
    const { rollout } = await ran();
    const plain = await rollout({ model: 1, method: 'plain' });
    expect(plain.metadata.convention).toContain('over layers from 0');
    expect(plain.metadata.memory_bytes).toBeGreaterThan(0);
    const later = await rollout({ model: 1, start: 2, method: 'plain' });
    expect(later.data).not.toEqual(plain.data);
    const normalised = await rollout({ method: 'normalised', reduce: 'mean_abs' });
    const L = Math.sqrt(normalised.data.length);
    for (let i = 0; i < L; i++)
      expect(normalised.data.subarray(i * L, (i + 1) * L).reduce((a, b) => a + b)).toBeCloseTo(1, 4);
  });

  it.each(['norm', 'alti'] as const)(
    'of shares by %s is of shares: none is negative, rows add up to 1',
    async (method) => {
      const { rollout } = await ran();
      const found = await rollout({ model: 1, ...(method !== 'norm' && { method }) });
      expect(found.metadata).toMatchObject({ method, convention: expect.stringMatching(/^product of the shares/) });
      const L = Math.sqrt(found.data.length);
      expect(Math.min(...found.data)).toBeGreaterThanOrEqual(0);
      for (let i = 0; i < L; i++)
        expect(found.data.subarray(i * L, (i + 1) * L).reduce((a, b) => a + b)).toBeCloseTo(1, 4);
      expect((await rollout({ model: 1, method, start: 2 })).data).not.toEqual(found.data);
    },
  );

  it('is weighed as the published code does it, of blocks with one scan', async () => {
    const { rollout } = await ran();
    const found = await rollout({ method: 'attribution_code', target: 3 });
    expect(found.metadata.convention).toMatch(/as in their code\).* token 3 at position/);
    await expect(rollout({ method: 'attribution_code', model: 1 })).rejects.toMatchObject({ status: 422 });
  });

  it('is weighed by the gradient of one logit at one position', async () => {
    const { rollout } = await ran();
    const of = (query: object) => rollout({ method: 'attribution', model: 1, ...query });
    const first = await of({ target: 3 });
    expect(first.metadata.convention).toContain('token 3 at position');
    expect(first.data.every((value) => value >= 0)).toBe(true);
    expect((await of({ target: 4 })).data).not.toEqual(first.data);
    const early = await of({ target: 3, position: 2 });
    expect(early.data).not.toEqual(first.data);
    expect((await of({ target: 3 })).data).toEqual(first.data);
  });

  it.each([
    [{ start: 9 }, /no layer 9/],
    [{ method: 'normalised', model: 1, reduce: 'mean_abs' }, /is a difference of two maps/],
    [{ method: 'attribution', target: 1e6 }, /outside the vocabulary/],
    [{ method: 'attribution', position: 999 }, /outside the prompt/],
  ])('refuses %j', async (query, message) => {
    const { rollout } = await ran();
    await expect(rollout(query)).rejects.toMatchObject({ message: expect.stringMatching(message) });
  });

  it('is refused where it takes too much memory', async () => {
    const { rollout } = await ran({ mapBytes: await enoughForRuns() });
    await expect(rollout({ method: 'attribution' })).rejects.toMatchObject({ status: 422 });
  });
});

describe('thumbnails', () => {
  /** Those of the second model, whose first block is differential. */
  async function thumbnailsOf(query: AskedReading<'thumbnails'>) {
    const { computer, map } = await ran();
    const body = await read(computer, 'run', 'thumbnails', { model: 1, size: 256, ...query });
    const { tensors, metadata } = decodeSafetensors(body.buffer);
    const { shape, data } = tensors.get('thumbnails') as { shape: number[]; data: Float32Array };
    const [count, side] = shape;
    const layers = Array.from({ length: count }, (_, k) => data.subarray(k * side * side, (k + 1) * side * side));
    return { layers, metadata: ThumbnailsMetadataSchema.parse(metadata), map };
  }

  it.each([
    { form: 's6', branch: 'mixer_1' },
    { form: 'block', branch: 'lambda_mixer_2', without: ['gate'] },
    { form: 'logit', branch: 'mixer_1', target: 3 },
    { form: 'norm', branch: 'lambda_mixer_2' },
  ] as const)('are of the form, branch and parts that are asked for, as the large map: %j', async (query) => {
    const { layers, metadata, map } = await thumbnailsOf(query);
    expect(metadata).toMatchObject({ form: query.form, first: 0, layers: 3 });
    // Both are as large as the prompt is long.
    expect(layers[0]).toEqual((await map({ model: 1, layer: 0, ...query })).data);
  });

  it('are of the layers that are asked for', async () => {
    const all = await thumbnailsOf({ form: 'norm' });
    const some = await thumbnailsOf({ form: 'norm', first: 1, count: 1 });
    expect(some.metadata).toMatchObject({ first: 1, layers: 1 });
    expect(some.layers).toEqual([all.layers[1]]);
    expect((await thumbnailsOf({ first: 3 })).layers).toEqual([]);
  });

  it('let a map be answered first, and end once nobody waits for them', async () => {
    const { computer, map } = await ran();
    const withdrawn = new Int32Array(1);
    const thumbnails = read(computer, 'run', 'thumbnails', { form: 'norm' }, withdrawn);
    await map({ layer: 0 });
    Atomics.store(withdrawn, 0, 1);
    await expect(thumbnails).rejects.toMatchObject({ status: 499 });
  });

  it('say what the form does not have', async () => {
    await expect(thumbnailsOf({ without: ['gate'] })).rejects.toMatchObject({ status: 422 });
  });
});
