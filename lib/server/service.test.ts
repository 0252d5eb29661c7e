import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AskedReading } from '@/lib/api/readings';
import { type Run, type RunEvent, type RunRequestInput, RunRequestSchema, RunSchema } from '@/lib/api/schemas';
import { decodeSafetensors } from '@/lib/safetensors';
import { isFinal } from './book';
import { Service } from './service';
import { makeWorkspace, request, type Workspace } from './testing/workspace';

process.env.STATESCOPE_DEVICE = 'cpu';

let workspace: Workspace;
let service: Service;

beforeAll(async () => {
  workspace = await makeWorkspace();
  service = new Service(workspace.settings);
  service.start();
});

afterAll(async () => {
  await service.worker.close();
  await workspace.remove();
});

const start = (overrides: Partial<RunRequestInput> = {}) =>
  service.createRun(RunRequestSchema.parse(request(overrides)));

/** Waits until a test on the events so far is true; ends at the latest with the run. */
function until(id: string, test: (event: RunEvent) => boolean): Promise<RunEvent[]> {
  return new Promise((resolve) => {
    const events: RunEvent[] = [];
    let leave = () => {};
    let ended = false;
    const end = () => {
      ended = true;
      leave();
      resolve(events);
    };
    leave = service.subscribe(id, (event) => {
      if (ended) return;
      events.push(structuredClone(event));
      const last = (event.event === 'run' || event.event === 'state') && isFinal(event.data);
      if (last || test(event)) end();
    });
    if (ended) leave();
  });
}

const finished = async (run: Run): Promise<Run> => {
  await until(run.id, () => false);
  return service.run(run.id);
};

/** The needle against the context by entry. */
async function headlineOf(id: string, query: AskedReading<'signal'>) {
  const { needle_against_context: shares, needle } = await service.read(id, 'signal', {
    ...query,
    with: 'needle_against_context',
  });
  return { shares: shares ?? [], needle };
}

const mapOf = async (id: string, query: AskedReading<'map'>) => {
  const { tensors, metadata } = decodeSafetensors((await service.read(id, 'map', query)).buffer);
  return { map: tensors.get('map'), metadata };
};

describe('a run of two models', () => {
  let run: Run;
  let events: RunEvent[];

  beforeAll(async () => {
    const queued = await start({ models: ['plain', 'diff'] });
    events = await until(queued.id, () => false);
    run = service.run(queued.id);
  });

  it('ends as done, and its state fits the schema', () => {
    expect(run.error).toBeUndefined();
    expect(run.state).toBe('done');
    expect(() => RunSchema.parse(run)).not.toThrow();
    expect(run.device?.name).toBe('cpu');
  });

  it('tells of every layer in order, of signals and lenses, and of progress', () => {
    const layers = events.flatMap((event) => (event.event === 'layer' ? [[event.data.model, event.data.layer]] : []));
    expect(layers).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    const names = events.map(({ event }) => event);
    expect(names.filter((name) => name === 'signal')).toHaveLength(2);
    expect(names.filter((name) => name === 'lens')).toHaveLength(2);
    expect(names.indexOf('signal')).toBeLessThan(names.indexOf('lens'));
    const stages = events.flatMap((event) => (event.event === 'progress' ? [event.data.stage] : []));
    expect(new Set(stages)).toEqual(new Set(['loading', 'forward']));
  });

  it('tells with each layer what it says where the answer is read: the same as the signal and the lens afterwards', async () => {
    for (const [model, { entries, position, target }] of run.models.entries()) {
      const own = events.flatMap((event) =>
        event.event === 'layer' && event.data.model === model ? [event.data] : [],
      );
      expect(own[0].readout.map(({ entry }) => entry)).toEqual(['embedding', 'layer 0']);
      expect(own.at(-1)?.readout.map(({ entry }) => entry)).toEqual(entries.slice(-2));
      const told = own.flatMap(({ readout }) => readout);
      expect(told.map(({ entry }) => entry)).toEqual(entries);
      const signal = await service.read(run.id, 'signal', { model });
      const body = await service.read(run.id, 'lens', { model, positions: [position] });
      const { tensors } = decodeSafetensors(body.buffer);
      expect(tensors.get('top_ids')?.shape.slice(0, 2)).toEqual([entries.length, 1]);
      const k = tensors.get('top_ids')?.shape[2] ?? 0;
      told.forEach((one, e) => {
        for (const name of ['target_prob', 'target_log_odds', 'margin_std', 'snr_vocab'] as const)
          expect(one[name]).toBeCloseTo(signal[name][e] as number, 4);
        expect(one.top_ids).toEqual([...(tensors.get('top_ids')?.data.subarray(e * k, (e + 1) * k) ?? [])]);
        expect(one.entropy).toBeCloseTo(tensors.get('entropy')?.data[e] as number, 4);
      });
      expect(signal.target).toBe(target.id);
    }
  });

  it('is done when its last layer is, and reads the lens of those positions alone that are asked for', async () => {
    const names = events.map(({ event }) => event);
    expect(names.slice(names.lastIndexOf('layer') + 1)).toEqual(['progress', 'signal', 'lens', 'state']);
    const [{ tokens }] = run.models;
    const whole = decodeSafetensors((await service.read(run.id, 'lens', {})).buffer).tensors.get('entropy');
    const some = decodeSafetensors((await service.read(run.id, 'lens', { positions: [4, 1] })).buffer);
    expect(some.metadata).toMatchObject({ positions: '4,1', length: String(tokens.length) });
    const entropy = some.tensors.get('entropy');
    const L = whole?.shape[1] ?? 0;
    expect(entropy?.shape).toEqual([whole?.shape[0], 2]);
    expect(entropy?.data[1]).toBeCloseTo(whole?.data[1] as number, 5);
    expect(entropy?.data[2]).toBeCloseTo(whole?.data[L + 4] as number, 5);
    await expect(service.read(run.id, 'lens', { positions: [999] })).rejects.toMatchObject({ status: 422 });
  });

  it('finds tokens, needle, target and candidates in the text', () => {
    const [{ tokens, needle, target, candidates, position, entries }] = run.models;
    expect(tokens.slice(...(needle ?? [0, 0])).map(({ text }) => text)).toEqual(['kitchen']);
    expect(target.text).toBe('kitchen');
    expect(candidates.map(({ text }) => text)).toEqual(['kitchen', 'garden', 'office']);
    expect(position).toBe(tokens.length - 1);
    expect(entries).toEqual(['embedding', 'layer 0', 'layer 1', 'layer 2', 'layer 3', 'final']);
  });

  it('describes blocks, λ included', () => {
    const [plain, diff] = run.models;
    expect(plain.blocks[0]).toMatchObject({ kind: 'mamba2', lambda: null, branches: ['single'], heads: 4 });
    expect(diff.blocks.map(({ branches }) => branches.at(-1))).toEqual(['diff', 'single', 'diff']);
    const { lambda, lambdaInit } = diff.blocks[0];
    expect(lambda).toBeGreaterThan(lambdaInit as number);
  });

  it('gives causal maps that rebuild the scan', async () => {
    for (const [model, layer] of [
      [0, 0],
      [0, 3],
      [1, 0],
      [1, 1],
      [1, 2],
    ]) {
      const { map, metadata } = await mapOf(run.id, { model, layer });
      const L = run.models[model].tokens.length;
      expect(map?.shape).toEqual([L, L]);
      const values = map?.data as Float32Array;
      expect(values.every((value, k) => k % L <= Math.floor(k / L) || value === 0)).toBe(true);
      expect(Number(metadata.reconstruction_error)).toBeLessThan(1e-4);
      expect(Number(metadata.max_abs)).toBe(Math.max(...values.map(Math.abs)));
    }
  });

  it('gives branches whose difference is the difference', async () => {
    const [first, scaled, diff] = await Promise.all(
      (['mixer_1', 'lambda_mixer_2', 'diff'] as const).map((branch) => mapOf(run.id, { model: 1, layer: 0, branch })),
    );
    const values = (of: typeof first) => of.map?.data as Float32Array;
    for (const [k, value] of values(diff).entries()) expect(value).toBeCloseTo(values(first)[k] - values(scaled)[k], 6);
    expect(diff.metadata.branch).toBe('diff');
  });

  it('gives thumbnails of all layers, each a reduced map', async () => {
    const { tensors, metadata } = decodeSafetensors(
      (await service.read(run.id, 'thumbnails', { model: 1, size: 4 })).buffer,
    );
    const thumbnails = tensors.get('thumbnails');
    expect(thumbnails?.shape).toEqual([3, 4, 4]);
    expect(metadata.layers).toBe('3');
    const { metadata: map } = await mapOf(run.id, { model: 1, layer: 1 });
    const values = thumbnails?.data as Float32Array;
    const largest = Math.max(...values.slice(16, 32).map(Math.abs));
    expect(largest).toBeCloseTo(Number(map.max_abs), 6);
  });

  it('gives the same numbers by lens and by signal, for any target and position', async () => {
    const L = run.models[0].tokens.length;
    const target = run.models[0].candidates[1].id;
    const { tensors, metadata } = decodeSafetensors((await service.read(run.id, 'lens', { target })).buffer);
    const signal = await service.read(run.id, 'signal', { target, position: 3 });
    expect(metadata.entries.split(',')).toEqual(signal.entries);
    for (const name of ['target_prob', 'margin', 'snr_vocab', 'snr_candidates'] as const) {
      const column = signal.entries.map((_, entry) => tensors.get(name)?.data[entry * L + 3] as number);
      for (const [entry, value] of signal[name].entries()) expect(value).toBeCloseTo(column[entry], 4);
    }
    const [, , k] = tensors.get('top_ids')?.shape ?? [];
    const best = tensors.get('top_ids')?.data[(5 * L + 3) * k] as number;
    const { target_prob: top } = await service.read(run.id, 'signal', { target: best, position: 3 });
    expect(top[5]).toBeCloseTo(tensors.get('top_probs')?.data[(5 * L + 3) * k] as number, 5);
  });

  it('measures the needle against the context per layer, within 0 and 1, and all of it for a needle that is everything', async () => {
    for (const model of [0, 1]) {
      const { shares: snr, needle } = await headlineOf(run.id, { model });
      expect(needle).toEqual(run.models[model].needle);
      expect([snr[0], snr.at(-1)]).toEqual([null, null]);
      for (const value of snr.slice(1, -1)) expect(value as number).toBeGreaterThan(0);
      const L = run.models[model].tokens.length;
      const { shares: all } = await headlineOf(run.id, { model, needle: [0, L] });
      for (const value of all.slice(1, -1)) expect(value).toBeCloseTo(1, 6);
    }
  });

  it('measures it as allocation does, the question apart', async () => {
    for (const model of [0, 1]) {
      const asked = { model, position: 9, needle: [2, 4], question: [[5, 7]] } as never;
      const { shares: share } = await headlineOf(run.id, asked);
      const { layers, classes } = await service.read(run.id, 'allocation', asked);
      expect(classes.slice(5, 7)).toEqual(['question', 'question']);
      for (const { layer, net } of layers)
        expect(share[layer + 1]).toBeCloseTo(net.needle_against_context?.mean as number, 5);
    }
  });

  it.each([
    ['a layer that does not exist', { layer: 9 }, 404],
    ['a model that does not exist', { model: 5, layer: 0 }, 404],
    ['a branch that a plain block lacks', { layer: 0, branch: 'diff' }, 422],
    ['heads of a Mamba-1 block', { model: 1, layer: 1, reduce: 'head:0' }, 422],
    ['a head that does not exist', { layer: 0, reduce: 'head:99' }, 422],
  ] as const)('refuses %s', async (_what, query, status) => {
    await expect(service.read(run.id, 'map', query)).rejects.toMatchObject({ status });
  });

  it('refuses positions, targets and needles outside the run', async () => {
    await expect(service.read(run.id, 'signal', { position: 1000 })).rejects.toMatchObject({ status: 422 });
    await expect(service.read(run.id, 'signal', { target: 100_000 })).rejects.toMatchObject({ status: 422 });
    await expect(service.read(run.id, 'signal', { needle: [0, 1000] })).rejects.toMatchObject({ status: 422 });
    await expect(service.read(run.id, 'lens', { target: 100_000 })).rejects.toMatchObject({ status: 422 });
  });
});

describe('a running run', () => {
  it('is cancelled before the next layer, and what is finished stays readable', async () => {
    const { id } = await start({ models: ['deep'] });
    const seen = await until(id, (event) => event.event === 'layer' && event.data.layer === 2);
    expect(seen.at(-1)?.event).toBe('layer');
    service.cancelRun(id);
    const rest = await until(id, () => false);
    const run = service.run(id);
    expect(run.state).toBe('cancelled');
    const ready = run.models[0].mapsReady;
    expect(ready).toBeGreaterThanOrEqual(3);
    expect(ready).toBeLessThan(20);
    expect(rest.filter(({ event }) => event === 'layer').length).toBeLessThan(17);
    await expect(mapOf(id, { layer: 2 })).resolves.toBeDefined();
    await expect(service.read(id, 'map', { layer: ready })).rejects.toMatchObject({ status: 409 });
    await expect(service.read(id, 'lens', {})).rejects.toMatchObject({ status: 409 });
    const { entries, target_prob: probabilities } = await service.read(id, 'signal', {});
    expect(entries).toEqual(['embedding', ...Array.from({ length: ready }, (_, i) => `layer ${i}`)]);
    expect(probabilities).toHaveLength(ready + 1);
  });

  it('goes on where it was cancelled, as if it had never stopped', async () => {
    const stopAfter = async (id: string, layer: number) => {
      const events = await until(id, (event) => event.event === 'layer' && event.data.layer === layer);
      service.cancelRun(id);
      await until(id, () => false);
      return events.flatMap((event) => (event.event === 'layer' ? [event.data.layer] : []));
    };
    const { id } = await start({ models: ['deep'] });
    await stopAfter(id, 2);
    const [{ mapsReady: ready, blocks }] = structuredClone(service.run(id).models);
    const elapsed = ({ timing }: Run) => (timing.finishedAt ?? 0) - (timing.startedAt ?? 0);
    const before = elapsed(service.run(id));
    const resumed = await service.resumeRun(id);
    expect(resumed.models[0]).toMatchObject({ mapsReady: ready, signalReady: false });
    await expect(service.resumeRun(id)).rejects.toMatchObject({ status: 409 });
    expect((await stopAfter(id, ready + 2))[0]).toBe(ready);
    expect(elapsed(service.run(id))).toBeGreaterThanOrEqual(before);
    expect(service.run(id).models[0].blocks.slice(0, ready)).toEqual(blocks.slice(0, ready));

    const whole = await start({ models: ['deep'] });
    await stopAfter(whole.id, ready + 2);
    const [a, b] = [await service.read(id, 'signal', {}), await service.read(whole.id, 'signal', {})];
    const shared = Math.min(a.entries.length, b.entries.length);
    expect(shared).toBeGreaterThan(ready + 2);
    expect(a.target_prob.slice(0, shared)).toEqual(b.target_prob.slice(0, shared));
    const [one, other] = [await headlineOf(id, {}), await headlineOf(whole.id, {})];
    expect(one.shares.slice(0, shared)).toEqual(other.shares.slice(0, shared));
  });

  it('is begun by resuming it where it was cancelled in the queue, and not once it is done', async () => {
    const first = await start({ models: ['deep'] });
    const second = await start({ models: ['plain', 'diff'] });
    service.cancelRun(second.id);
    expect((await service.resumeRun(second.id)).state).toBe('queued');
    service.cancelRun(first.id);
    const run = await finished(second);
    expect(run.models.map(({ mapsReady, lensReady }) => [mapsReady, lensReady])).toEqual([
      [4, true],
      [3, true],
    ]);
    await expect(service.resumeRun(second.id)).rejects.toMatchObject({ status: 409 });
  });

  it('lets health, lists and questions about finished runs through', async () => {
    const done = await finished(await start());
    const { id } = await start({ models: ['deep'] });
    await until(id, (event) => event.event === 'layer');
    expect(service.health()).toMatchObject({ status: 'ready', queue: 1, device: { name: 'cpu' } });
    await service.models();
    await mapOf(done.id, { layer: 1, reduce: 'mean_abs' });
    await service.read(done.id, 'signal', { position: 2 });
    expect(service.run(id).state).toBe('running');
    service.cancelRun(id);
    await finished(service.run(id));
  });

  it('makes others wait, and a waiting one is cancelled at once', async () => {
    const first = await start({ models: ['deep'] });
    const second = await start();
    const third = await start();
    expect(second).toMatchObject({ state: 'queued', queuePosition: 1 });
    await expect(service.read(second.id, 'map', { layer: 0 })).rejects.toMatchObject({ status: 409 });
    expect(service.cancelRun(second.id).state).toBe('cancelled');
    expect(service.run(third.id).queuePosition).toBe(1);
    service.cancelRun(first.id);
    expect((await finished(third)).state).toBe('done');
  });
});

describe('a request that cannot be run', () => {
  it.each([
    ['an unknown model', { models: ['nobody'] }, 404, /no model "nobody"/],
    ['a path outside the models folder', { models: ['../../../etc'] }, 404, /no model/],
    ['the absolute path of a model', { models: ['/etc'] }, 404, /no model/],
    ['a model without a tokenizer', { models: ['wordless'] }, 422, /no tokenizer\.json/],
    ['a damaged checkpoint', { models: ['damaged'] }, 422, /./],
    ['a prompt without tokens', { prompt: '   ', needle: undefined }, 422, /no token/],
    ['a target outside the vocabulary', { target: 'submarine' }, 422, /does not contain "submarine"/],
    ['a candidate outside the vocabulary', { candidates: ['kitchen', 'submarine'] }, 422, /submarine/],
    ['a position outside the prompt', { position: 500 }, 422, /outside the prompt/],
    ['a needle outside the prompt', { needle: [0, 5000] }, 422, /needle ends/],
    ['more tokens than the limit', { prompt: 'Mary '.repeat(65), needle: undefined }, 422, /65 tokens.*limit is 64/],
    ['a hundred thousand tokens', { prompt: 'Mary '.repeat(100_000), needle: undefined }, 413, /500000 characters/],
  ] as const)('is refused: %s', async (_what, overrides, status, message) => {
    const before = (await service.listRuns()).runs.length;
    await expect(start(overrides as Partial<RunRequestInput>)).rejects.toMatchObject({
      status,
      message: expect.stringMatching(message),
    });
    expect((await service.listRuns()).runs).toHaveLength(before);
    expect(service.health()).toMatchObject({ status: 'ready', queue: 0 });
  });
});

describe('text and vocabulary', () => {
  it('lists usable models, and what is wrong with others', async () => {
    const { models, unreadable, folders } = await service.models();
    expect(unreadable).toEqual([{ name: 'damaged', problem: expect.stringMatching(/no weights/) }]);
    expect(folders[0]).toBe(join(workspace.root, 'models'));
    expect(models.map(({ name }) => name)).toEqual(['channels', 'deep', 'diff', 'plain', 'wordless']);
    expect(models.find(({ name }) => name === 'diff')).toMatchObject({
      layers: ['diff_mamba2', 'mamba1', 'diff_mamba1'],
      hasTokenizer: true,
      hasTunedLens: false,
      heldOut: null,
      summary: expect.stringContaining('Diff-Mamba-2 + Mamba + Diff-Mamba · 3 layers · d 16'),
    });
    expect(models.at(-1)?.hasTokenizer).toBe(false);
  });

  it('finds the models of a folder that was added, only below the folders it was started with', async () => {
    const deep = join(workspace.root, 'models', 'mine', 'thesis', 'try');
    await cp(join(workspace.root, 'models', 'plain'), join(deep, 'late', 'plain-2'), { recursive: true });
    await cp(join(workspace.root, 'models', 'plain'), join(deep, 'plain'), { recursive: true });
    const names = async () => (await service.models()).models.map(({ name }) => name);
    expect(await names()).not.toContain('late/plain-2');
    const added = await service.addFolder('mine/thesis/try');
    expect(added.models.map(({ name }) => name)).toEqual(['late/plain-2']);
    expect(added.unreadable).toEqual([
      { name: 'plain', problem: expect.stringMatching(/Another model has this name/) },
    ]);
    expect(await names()).toContain('late/plain-2');
    expect((await service.tokenize({ model: 'late/plain-2', text: 'the garden' })).length).toBe(2);
    for (const [folder, status, message] of [
      ['../..', 403, /outside the folders/],
      ['/etc', 403, /outside the folders/],
      [`${workspace.root}/models-of-others`, 403, /outside the folders/],
      ['mine/nothing', 404, /no folder/],
      ['plain/../wordless/..', 200, /./],
      ['mine/thesis/try/late/plain-2/nowhere', 404, /no folder/],
    ] as const) {
      const asked = service.addFolder(folder);
      if (status === 200) await expect(asked).resolves.toBeDefined();
      else await expect(asked).rejects.toMatchObject({ status, message: expect.stringMatching(message) });
    }
    await mkdir(join(deep, 'empty'));
    await expect(service.addFolder('mine/thesis/try/empty')).rejects.toMatchObject({ status: 422 });
    // What lies below a folder that is searched anyway is listed, the folder itself is nothing new.
    expect((await service.models()).added).toEqual([deep]);
    expect((await service.removeFolder('mine/thesis/try')).models.map(({ name }) => name)).not.toContain(
      'late/plain-2',
    );
    await expect(service.removeFolder(deep)).rejects.toMatchObject({ status: 404 });
  });

  it('tokenizes with offsets', async () => {
    const tokens = await service.tokenize({ model: 'plain', text: 'the  garden.' });
    expect(tokens.map(({ text, start, end }) => [text, start, end])).toEqual([
      ['the', 0, 3],
      ['garden', 5, 11],
      ['.', 11, 12],
    ]);
  });

  it('marks words that the vocabulary lacks, and not its own spelling of them', async () => {
    const tokens = await service.tokenize({ model: 'plain', text: 'the zebra [UNK] garden' });
    expect(tokens.map(({ text, unknown }) => [text, unknown])).toEqual([
      ['the', undefined],
      ['[UNK]', true],
      ['[UNK]', undefined],
      ['garden', undefined],
    ]);
  });

  it('searches the vocabulary, best match first', async () => {
    const found = (await service.vocabulary('plain', 'the')).map(({ text }) => text);
    expect(found[0].toLowerCase()).toBe('the');
    expect(await service.vocabulary('plain', 'submarine')).toEqual([]);
    expect(await service.vocabulary('plain', '', 3)).toHaveLength(3);
  });
});

describe('a λ per channel', () => {
  it('runs, and shows the branches alone', async () => {
    const run = await finished(await start({ models: ['channels'] }));
    expect(run.state).toBe('done');
    expect(run.models[0].blocks[0].branches).toEqual(['mixer_1', 'mixer_2']);
    expect((await headlineOf(run.id, {})).shares[1]).toBeGreaterThan(0);
  });
});

describe('a worker that dies', () => {
  it('ends the run with a clear sentence and comes back', async () => {
    const messages = vi.spyOn(Worker.prototype, 'postMessage');
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const done = await finished(await start());
    const { id } = await start({ models: ['deep'] });
    await until(id, (event) => event.event === 'layer');
    // A thread that is still alive could answer before it is terminated: this question never reaches it.
    messages.mockImplementationOnce(() => undefined);
    const unanswered = expect(service.read(done.id, 'lens', {})).rejects.toMatchObject({ status: 503 });
    await (messages.mock.contexts.at(-1) as Worker).terminate();
    await unanswered;
    await until(id, () => false);
    expect(service.run(id)).toMatchObject({
      state: 'error',
      available: false,
      error: expect.stringMatching(/^The computing thread stopped unexpectedly/),
    });
    await expect(service.read(done.id, 'map', { layer: 0 })).rejects.toMatchObject({ status: 409 });
    expect((await finished(await start())).state).toBe('done');
    expect(service.health().status).toBe('ready');
    expect(log).toHaveBeenCalledOnce();
    vi.restoreAllMocks();
  });
});
