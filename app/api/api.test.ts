import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnalysisEvent, AnalysisRequestInput } from '@/lib/api/causal';
import { createClient } from '@/lib/api/client';
import { readEventStream } from '@/lib/api/events';
import type { GeneratedToken, GenerationEvent } from '@/lib/api/generation';
import { questionOf } from '@/lib/api/question';
import { READINGS } from '@/lib/api/readings';
import { ErrorBodySchema, type RunEvent } from '@/lib/api/schemas';
import { Contract } from '@/lib/api/testing/contract';
import { decodeSafetensors } from '@/lib/safetensors';
import { closeService, service } from '@/lib/server';
import { makeWorkspace, PROMPT, request, type Workspace } from '@/lib/server/testing/workspace';

type Handler = (request: Request, context: { params: Promise<{ id: string; reading: string[] }> }) => Promise<Response>;
type Module = Partial<Record<'GET' | 'POST' | 'PATCH' | 'DELETE', Handler>>;

interface Route {
  /** As the folders name it: `runs/[id]/events`. */
  readonly name: string;
  readonly pattern: RegExp;
  readonly module: Module;
}

const API = 'app/api';

/** A named route comes before one that takes an id, and that before one that takes the rest, as in Next. */
const rank = ({ name }: Route) => name.replaceAll('[...', '\uffff').replaceAll('[', '\ufffe');

/** Every route of the folder. */
const ROUTES: readonly Route[] = (
  await Promise.all(
    (
      await readdir(API, { recursive: true })
    )
      .filter((path) => basename(path) === 'route.ts')
      .map(async (path) => {
        const name = dirname(path);
        const pattern = name
          .replaceAll('.', '\\.')
          .replace(/\[\\\.\\\.\\\.(\w+)\]/, '(?<$1>.+)')
          .replaceAll(/\[(\w+)\]/g, '(?<$1>[^/]+)');
        return { name, pattern: new RegExp(`^/api/${pattern}$`), module: await import(join(process.cwd(), API, path)) };
      }),
  )
).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));

/** What was asked over HTTP and answered: `GET runs/[id]`, and readings by their names. */
const met = new Set<string>();

const contract = new Contract();

/** What Next does: finds the handler of a path and method. */
async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const url = new URL(path, 'http://host');
  for (const { name, pattern, module } of ROUTES) {
    const { groups = {} } = pattern.exec(url.pathname) ?? {};
    const method = (init.method ?? 'GET') as keyof Module;
    if (!pattern.test(url.pathname)) continue;
    const response = await (module[method] as Handler)(new Request(url, init), {
      params: Promise.resolve({ id: decodeURIComponent(groups.id ?? ''), reading: groups.reading?.split('/') ?? [] }),
    });
    if (response.ok) met.add(`${method} ${groups.reading ? name.replace(/\[\.\.\..*/, groups.reading) : name}`);
    return contract.hold(method, url, response);
  }
  throw new Error(`There is no route for ${path}.`);
}

const client = createClient({ baseUrl: 'http://host', fetch: (url, init) => send(String(url), init) });

const json = (path: string, body: unknown, contentType = 'application/json') =>
  send(path, { method: 'POST', headers: { 'content-type': contentType }, body: JSON.stringify(body) });

/** Events of an analysis up to its end. */
const followed = (id: string) =>
  new Promise<AnalysisEvent[]>((resolve, reject) => {
    const events: AnalysisEvent[] = [];
    const onEvent = (event: AnalysisEvent) => {
      events.push(event);
      const state = event.event === 'analysis' || event.event === 'state' ? event.data.state : '';
      if (state === 'done' || state === 'cancelled' || state === 'error') resolve(events);
    };
    client.followAnalysis(id, onEvent, reject);
  });

const follow = (id: string) =>
  new Promise<RunEvent[]>((resolve, reject) => {
    const seen: RunEvent[] = [];
    client.subscribe(
      id,
      (event) => {
        seen.push(event);
        const state = event.event === 'run' || event.event === 'state' ? event.data.state : '';
        if (state === 'done' || state === 'cancelled' || state === 'error') resolve(seen);
      },
      reject,
    );
  });

let workspace: Workspace;
const variables = ['STATESCOPE_ROOT', 'STATESCOPE_MAX_TOKENS', 'STATESCOPE_DEVICE', 'STATESCOPE_DATA'] as const;
const before = variables.map((name) => process.env[name]);

beforeAll(async () => {
  workspace = await makeWorkspace({}, { sweeps: true, measured: true });
  for (const [i, value] of [workspace.root, '64', 'cpu', 'none'].entries()) process.env[variables[i]] = value;
});

afterAll(async () => {
  await closeService();
  await workspace.remove();
  for (const [i, name] of variables.entries()) {
    if (before[i] === undefined) delete process.env[name];
    else process.env[name] = before[i];
  }
});

describe('the API, through its own client', () => {
  it('goes from models to curves', async () => {
    const { models: listed } = await client.models();
    expect(listed.map(({ name }) => name)).toContain('diff');
    await expect(client.addModelFolder('/etc')).rejects.toMatchObject({
      status: 403,
      message: expect.stringMatching(/outside/),
    });
    expect((await client.addModelFolder('.')).models.length).toBe(listed.length);
    const models = join(workspace.root, 'models');
    await cp(join(models, 'plain'), join(models, 'deep', 'later', 'extra'), { recursive: true });
    const { added } = await client.addModelFolder('deep/later');
    expect(added).toEqual([join(models, 'deep', 'later')]);
    expect((await client.models()).models.map(({ name }) => name)).toContain('extra');
    expect((await client.removeModelFolder(added[0])).added).toEqual([]);
    expect((await client.models()).models.map(({ name }) => name)).not.toContain('extra');
    expect(await client.training()).toEqual({ runs: [], folders: [models], broken: [] });
    await expect(client.training({ folder: '/etc' })).rejects.toMatchObject({ status: 403 });
    const { id } = await client.startRun(request({ models: ['plain', 'diff'] }));
    const seen = await follow(id);
    expect(seen[0].event).toBe('run');
    expect(seen.at(-1)).toEqual({ event: 'state', data: { state: 'done' } });

    const state = await client.run(id);
    expect(state.models.map(({ mapsReady, lensReady }) => [mapsReady, lensReady])).toEqual([
      [4, true],
      [3, true],
    ]);
    const attention = await client.read(id, 'map', { model: 1, layer: 0, branch: 'mixer_2' });
    expect(attention).toMatchObject({ L: state.models[1].tokens.length, metadata: { branch: 'mixer_2', form: 's6' } });
    expect((await client.read(id, 'thumbnails', { model: 0 })).layers).toHaveLength(4);
    const { entries, statistics } = await client.read(id, 'lens', { model: 1 });
    expect(entries).toEqual(['embedding', 'layer 0', 'layer 1', 'layer 2', 'final']);
    expect(statistics.kl_final_lens?.at(-1)).toBeCloseTo(0, 6);
    expect((await client.read(id, 'signal', { needle: [1, 3] })).needle).toEqual([1, 3]);
    const [{ heads }, L] = [state.models[0].blocks[0], state.models[0].tokens.length];
    const { values, metadata } = await client.read(id, 'channels', { model: 0, layer: 0 });
    expect([metadata.unit, values.get('single.half_life')?.length]).toEqual(['head', heads]);
    const tracks = await client.read(id, 'tracks', { model: 0, layer: 0, unit: '0' });
    expect([tracks.metadata.unit, tracks.values.get('single.delta')?.length]).toEqual(['0', L]);
    const { channels } = await client.read(id, 'pair', { model: 0, layer: 0, i: 4, j: 2, k: 1000 });
    const mean = (await client.read(id, 'map', { model: 0, layer: 0, reduce: 'mean' })).data[4 * L + 2];
    expect(channels.reduce((sum, { value }) => sum + value / heads, 0)).toBeCloseTo(mean, 6);
    const allocation = await client.read(id, 'allocation', { model: 1 });
    expect(allocation.layers.map(({ layer }) => layer)).toEqual([0, 1, 2]);
    const score = await client.read(id, 'answer', { model: 1, answer: [3, 4] });
    expect(score.tokens.map((token) => token.id)).toEqual([3, 4]);
    const { components, logit } = await client.read(id, 'attribution', { model: 1 });
    expect(components.reduce((sum, { contribution }) => sum + contribution, 0)).toBeCloseTo(logit, 4);
    expect((await client.renameRun(id, ' two models ')).name).toBe('two models');
    expect((await client.runs()).runs[0]).toMatchObject({ id, name: 'two models', kept: false });
    expect((await client.cancelRun(id)).state).toBe('done');
    await client.forgetRun(id);
    await expect(client.run(id)).rejects.toMatchObject({ status: 404 });
  });

  it('leaves parts out of a map, states its memory, and follows logits through all layers', async () => {
    const { id } = await client.startRun(request());
    await follow(id);
    const query = { layer: 1, form: 'block', without: ['conv', 'D'] } as const;
    const { bytes, limit_bytes: limit, kept } = await client.read(id, 'map/estimate', query);
    expect([kept, bytes < limit]).toEqual([false, true]);
    const { metadata } = await client.read(id, 'map', query);
    expect(metadata.memory_bytes).toBe(bytes);
    expect(metadata.convention).toContain('without conv, D');
    expect((await client.read(id, 'map/estimate', query)).kept).toBe(true);
    const attribution = await client.read(id, 'rollout', { method: 'attribution', start: 1, position: 5 });
    expect(attribution.metadata).toMatchObject({
      method: 'attribution',
      convention: expect.stringContaining('from 1'),
    });
    expect(attribution.data).toHaveLength(attribution.L ** 2);
    await expect(client.read(id, 'map', { ...query, without: ['wheels'] as never })).rejects.toMatchObject({
      status: 400,
    });
  });

  it('tells what a run will take, and refuses what it would refuse', async () => {
    // Before any run: by the probe of the device.
    expect((await client.estimate(request())).seconds).toBeGreaterThan(0);
    await follow((await client.startRun(request())).id);
    const one = await client.estimate(request());
    expect([one.weightBytes, one.packedBytes]).toEqual([0, 0]);
    expect(one.seconds).toBeGreaterThan(0);
    const two = await client.estimate(request({ models: ['plain', 'deep'], prompt: PROMPT.repeat(3) }));
    expect(two.activationBytes).toBeGreaterThan(20 * one.activationBytes);
    expect(two.seconds).toBeGreaterThan(one.seconds ?? 0);
    const { models: listed } = await client.models();
    // Warming up may have loaded it already.
    expect([0, 4 * (listed.find(({ name }) => name === 'deep')?.parameters ?? 0)]).toContain(two.weightBytes);
    await expect(client.estimate(request({ prompt: 'Mary '.repeat(65), needle: undefined }))).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining('65 tokens'),
    });
  });

  it('reads a model with the tokenizer that was chosen, and says so in runs, analyses and generated text', async () => {
    const named = async (name: string) => (await client.models()).models.find((model) => model.name === name);
    expect(await named('wordless')).toMatchObject({ hasTokenizer: false, tokenizer: null });
    await expect(client.tokenize('wordless', PROMPT)).rejects.toMatchObject({ status: 422 });
    const list = await client.chooseTokenizer('wordless', 'plain');
    expect(list.tokenizers).toEqual(expect.arrayContaining(['gpt-neox-20b', 'plain', 'diff']));
    const used = { name: 'plain', source: 'chosen' };
    expect(await named('wordless')).toMatchObject({ hasTokenizer: true, tokenizer: used });
    const { id } = await client.startRun(request({ models: ['wordless', 'plain'] }));
    await follow(id);
    const { models } = await client.run(id);
    expect(models.map(({ tokenizer }) => tokenizer)).toEqual([used, { name: 'tokenizer.json', source: 'model' }]);
    expect(models[0].tokens).toEqual(models[1].tokens);
    const { prompt, target } = request();
    const task = { kind: 'snr' as const, models: ['wordless'], examples: [{ prompt, target }], resamples: 10 };
    const analysis = await client.startAnalysis(task);
    await followed(analysis.id);
    expect((await client.analysis(analysis.id)).tokenizers).toEqual({ wordless: used });
    const told: GenerationEvent[] = [];
    await client.generate({ model: 'wordless', prompt, max_new_tokens: 1 }, (event) => told.push(event));
    expect(told).toContainEqual({ event: 'state', data: { state: 'running', queuePosition: 0, tokenizer: used } });
    const file = join(workspace.root, 'models', 'plain', 'tokenizer.json');
    await client.chooseTokenizer('wordless', file);
    expect(await named('wordless')).toMatchObject({ tokenizer: { name: 'tokenizer.json', source: 'chosen' } });
    const refused = (wanted: string) => client.chooseTokenizer('wordless', wanted).catch(({ status }) => status);
    expect([await refused('nobody'), await refused('/etc/tokenizer.json'), await refused('plain/config.json')]).toEqual(
      [422, 403, 422],
    );
    await expect(client.chooseTokenizer('nobody', 'plain')).rejects.toMatchObject({ status: 404 });
    await client.chooseTokenizer('wordless', null);
    expect(await named('wordless')).toMatchObject({ hasTokenizer: false });
  });

  it('measures a batch', async () => {
    const { prompt, target } = request();
    const { id: run } = await client.startRun(request());
    await follow(run);
    const task = { kind: 'snr' as const, models: ['plain'], examples: [{ prompt, target }], resamples: 10 };
    const { id } = await client.startAnalysis(task, { run });
    await followed(id);
    expect((await client.run(run)).analyses).toMatchObject([{ id, kind: 'snr' }]);
    const former = { kind: 'cancellation', model: 'diff', prompt: PROMPT, target: 'kitchen', needle: [0, 5] } as const;
    const created = await client.startAnalysis({ ...former, needle: [0, 5] });
    expect(created.note).toContain('Ask for kind "allocation"');
    await client.cancelAnalysis(created.id);
    await expect(client.startAnalysis(task, { run: 'nobody' })).rejects.toMatchObject({ status: 404 });
    const { result, request: asked } = await client.analysis(id);
    expect(result).toMatchObject({ kind: 'snr', examples: 1, lens: 'logit', difference: null });
    expect(asked.kind).toBe('snr');
    expect([...(await client.analysisTensors(id)).keys()]).toContain('snr.0.target_prob');
    for (const examples of [[], 'demo:0', 'demo:1001'])
      await expect(client.startAnalysis({ kind: 'snr', models: ['plain'], examples })).rejects.toMatchObject({
        status: 400,
      });
  });

  it('exports the numbers that its routes give, in every format', async () => {
    const { id } = await client.startRun(request({ models: ['plain', 'diff'] }));
    await follow(id);
    const map = await client.read(id, 'map', { model: 1, layer: 0, branch: 'diff' });
    const file = (query: string) => send(`/api/runs/${id}/export?model=1&${query}`);
    const of = 'what=map&layer=0&branch=diff';

    const safetensors = await file(`${of}&format=safetensors`);
    expect(safetensors.headers.get('content-disposition')).toContain(`statescope-${id}-diff-layer-0-diff-mean`);
    const { tensors, metadata } = decodeSafetensors(await safetensors.arrayBuffer());
    expect(tensors.get('map')?.data).toEqual(map.data);
    expect(metadata).toMatchObject({ run: id, model: 'diff', convention: map.metadata.convention });

    const lines = (await (await file(`${of}&format=csv`)).text()).trim().split('\n');
    const body = lines.filter((line) => !line.startsWith('#'));
    expect(lines).toContain(`# convention: ${map.metadata.convention}`);
    expect(body).toHaveLength(map.L + 1);
    const last = body[map.L]
      .split(',')
      .slice(-map.L)
      .map((text) => Math.fround(Number(text)));
    expect(last).toEqual([...map.data.subarray(-map.L)]);

    const json = await (await file(`${of}&format=json`)).json();
    expect(json.tensors.map.shape).toEqual([map.L, map.L]);
    expect(json.tensors.map.data.map(Math.fround)).toEqual([...map.data]);
    expect(json.tokens).toHaveLength(map.L);

    const archive = unzipSync(new Uint8Array(await (await file(`${of}&format=npz`)).arrayBuffer()));
    const npy = archive['map.npy'];
    expect(new Float32Array(npy.slice(npy.byteLength - map.data.byteLength).buffer)).toEqual(map.data);

    const logit = await client.read(id, 'map', { model: 1, layer: 0, form: 'logit' });
    const shown = await file('what=map&layer=0&form=logit&format=safetensors');
    expect(shown.headers.get('content-disposition')).toContain('diff-layer-0-logit-diff.safetensors');
    const contributions = decodeSafetensors(await shown.arrayBuffer());
    expect(contributions.tensors.get('map')?.data).toEqual(logit.data);
    expect(contributions.tensors.get('rest')?.data).toEqual(logit.rest);
    expect(contributions.metadata).toMatchObject({
      form: 'logit',
      unit: 'logits',
      convention: logit.metadata.convention,
    });
    // A sum over all channels: nothing reduces it.
    expect(contributions.metadata).not.toHaveProperty('reduce');

    const product = await client.read(id, 'rollout', { model: 1, method: 'attribution', start: 1, position: 5 });
    const weighed = await file('what=rollout&method=attribution&start=1&position=5&format=safetensors');
    expect(weighed.headers.get('content-disposition')).toContain('diff-attribution-from-layer-1.safetensors');
    const written = decodeSafetensors(await weighed.arrayBuffer());
    expect(written.tensors.get('map')?.data).toEqual(product.data);
    expect(written.metadata).toMatchObject({ start: '1', convention: product.metadata.convention });
    const plain = await (await file('what=rollout&method=plain&reduce=mean_abs&format=csv')).text();
    expect(plain).toContain('# reduce: mean_abs');
    expect(plain.trim().split('\n').at(-1)?.split(',')).toHaveLength(map.L + 1);
    expect((await file('what=rollout&reduce=max&format=csv')).status).toBe(400);

    const signal = await client.read(id, 'signal', { model: 1, position: 4 });
    const curves = decodeSafetensors(
      await (await file('what=signal&position=4&format=safetensors')).arrayBuffer(),
    ).tensors;
    expect([...(curves.get('margin')?.data ?? [])]).toEqual(signal.margin.map((value) => Math.fround(Number(value))));
    expect(await (await file('what=signal&format=csv')).text()).toContain('margin [logits]');
    const lensRows = (await (await file('what=lens&format=csv')).text()).trim().split('\n');
    expect(lensRows.filter((line) => !line.startsWith('#'))).toHaveLength(1 + 5 * map.L);
    const reads = await client.read(id, 'allocation', { model: 1, needle: [1, 3] });
    const classes = decodeSafetensors(
      await (await file('what=allocation&needle=1,3&format=safetensors')).arrayBuffer(),
    );
    const needle = classes.metadata.classes.split(',').indexOf('needle');
    expect(classes.tensors.get('net.norm_share')?.data[needle]).toBe(
      Math.fround(reads.layers[0].net.norm_share.needle?.mean ?? Number.NaN),
    );
    const csv = (await (await file('what=allocation&needle=1,3&format=csv')).text()).split('\n');
    expect(csv.find((line) => line.startsWith('layer,part,class'))).toBeDefined();
    expect((await file('what=map&format=csv')).status).toBe(400);
    expect((await file('what=poem&format=csv')).status).toBe(400);
  });

  it('runs a causal test and follows it', async () => {
    const { id: run } = await client.startRun(request());
    const asked: AnalysisRequestInput = {
      kind: 'knockout',
      model: 'plain',
      prompt: PROMPT,
      target: 'kitchen',
      foil: 'garden',
      spans: [[4, 5]],
    };
    const { id } = await client.startAnalysis(asked, { run });
    const seen = await followed(id);
    expect(seen[0].event).toBe('analysis');
    expect(seen.filter(({ event }) => event === 'result').length).toBeGreaterThan(1);
    const { state, result } = await client.analysis(id);
    expect([state, result?.kind]).toEqual(['done', 'knockout']);
    expect((await client.analysisTensors(id)).get('knockout.change')?.shape).toEqual([4, 1]);
    expect((await client.cancelAnalysis(id)).state).toBe('done');
    expect((await client.run(run)).analyses).toMatchObject([{ id, kind: 'knockout', question: questionOf(asked) }]);
    await client.forgetRun(run);
    await expect(client.analysis(id)).rejects.toMatchObject({ status: 404 });
  });

  it('estimates patches at once, and patches the strongest cells too', async () => {
    const { id } = await client.startAnalysis({
      kind: 'patch_attribution',
      model: 'diff',
      clean: [4, 5, 6],
      corrupted: [4, 7, 6],
      target: 5,
      foil: 7,
      check: 2,
    });
    await followed(id);
    const { state, result } = await client.analysis(id);
    if (result?.kind !== 'patch_attribution') throw new Error(`${state}, ${result?.kind}`);
    expect(result.agreement.map(({ cells }) => cells.length)).toEqual([2, 2, 2, 2]);
    const [first] = result.points;
    expect(first.point).toBe('hook_resid_pre');
    const tensors = await client.analysisTensors(id);
    expect([...(tensors.get('attribution.hook_resid_pre.patched')?.data ?? [])]).toEqual(
      first.patched.flat().map((value) => Math.fround(value as number)),
    );
  });

  it.each([
    { kind: 'knockout_attribution' } as const,
    {
      kind: 'ablate_attribution',
      unit: 'head',
      spans: [
        [0, 1],
        [1, 2],
      ],
    } as { kind: 'ablate_attribution' },
  ])('estimates removals at once, and makes the strongest ones too: %j', async (asked) => {
    const { id } = await client.startAnalysis({
      ...asked,
      model: 'diff',
      prompt: [4, 5, 6],
      target: 5,
      foil: 7,
      check: 2,
    });
    const totals = (await followed(id)).flatMap(({ event, data }) => (event === 'progress' ? [data.total] : []));
    expect(new Set(totals).size).toBe(1);
    const { state, result } = await client.analysis(id);
    if (result?.kind !== asked.kind) throw new Error(`${state}, ${result?.kind}`);
    expect(result.agreement.map(({ cells }) => cells.length)).toEqual(
      asked.kind === 'knockout_attribution' ? [2] : [2, 2],
    );
    const changes = 'runs' in result ? result.runs.map(({ change }) => change) : result.change.flat();
    const tensors = await client.analysisTensors(id);
    expect([...(tensors.get(`${asked.kind}.change`)?.data ?? [])]).toEqual(
      changes.map((value) => Math.fround(value ?? Number.NaN)),
    );
  });

  it('answers about text', async () => {
    expect((await client.tokenize('plain', 'Mary.')).tokens).toHaveLength(2);
    expect((await client.vocabulary('plain', 'kitch')).tokens.map(({ text }) => text)).toEqual(['kitchen']);
  });

  it('opens the event stream of a finished run with its state, and ends it', async () => {
    const { id } = await client.startRun(request());
    await follow(id);
    expect((await follow(id)).map(({ event }) => event)).toEqual(['run']);
  });

  it('goes on with a run that was cancelled', async () => {
    const before = await client.startRun(request({ models: ['deep'] }));
    const { id } = await client.startRun(request());
    expect((await client.cancelRun(id)).state).toBe('cancelled');
    expect((await client.resumeRun(id)).state).toBe('queued');
    await client.cancelRun(before.id);
    expect((await follow(id)).at(-1)).toEqual({ event: 'state', data: { state: 'done' } });
    await expect(client.resumeRun(id)).rejects.toMatchObject({ status: 409 });
  });

  it('goes on when a reader leaves', async () => {
    const { id } = await client.startRun(request({ models: ['deep'] }));
    const response = await send(`/api/runs/${id}/events`);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    for await (const message of readEventStream(response.body as ReadableStream<Uint8Array>))
      if (message.event === 'layer') break;
    expect((await client.run(id)).state).toBe('running');
    await client.cancelRun(id);
    expect((await follow(id)).at(-1)).toMatchObject({ data: { state: 'cancelled' } });
  });

  it('stays healthy while a run computes', async () => {
    const { id } = await client.startRun(request({ models: ['deep'] }));
    expect(await client.health()).toMatchObject({ status: 'ready', queue: 1, version: expect.stringMatching(/^\d/) });
    await client.cancelRun(id);
    await follow(id);
  });

  it('serves its own description', async () => {
    const response = await send('/api/openapi.json');
    expect(await response.json()).toMatchObject({ openapi: '3.1.0', info: { version: service().version } });
  });
});

describe('generation', () => {
  const prompt = 'Mary went to the kitchen.';
  /** Everything that is told; `until` may leave the stream early. */
  async function told(rest: object, until?: (event: GenerationEvent) => boolean): Promise<GenerationEvent[]> {
    const events: GenerationEvent[] = [];
    const abort = new AbortController();
    const read = client.generate(
      { model: 'plain', prompt, ...rest },
      (event) => {
        events.push(event);
        if (until?.(event)) abort.abort();
      },
      abort.signal,
    );
    await (until ? read.catch(() => undefined) : read);
    return events;
  }
  const tokensOf = (events: GenerationEvent[]): GeneratedToken[] =>
    events.flatMap(({ event, data }) => (event === 'token' ? [data] : []));

  it('tells the best tokens with their probabilities, and pieces that make the text', async () => {
    const events = await told({ max_new_tokens: 6, alternatives: 3 });
    expect(events[0]).toMatchObject({ event: 'state', data: { state: 'running' } });
    expect(events.at(-1)).toEqual({ event: 'state', data: { state: 'done', queuePosition: 0 } });
    const tokens = tokensOf(events);
    expect(tokens.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { id, text, rank, probability, alternatives, as_target } of tokens) {
      expect([rank, as_target?.id]).toEqual([1, id]);
      expect(alternatives).toHaveLength(3);
      expect(alternatives[0]).toEqual({ id, text, probability });
    }
    // The model reads the text so far as it generated it: its next token is the same.
    const text =
      prompt +
      tokens
        .slice(0, 4)
        .map(({ piece }) => piece)
        .join('');
    const { tokens: read } = await client.tokenize('plain', text);
    expect(read.slice(-4).map(({ id }) => id)).toEqual(tokens.slice(0, 4).map(({ id }) => id));
    const [again] = tokensOf(await told({ prompt: text, max_new_tokens: 1 }));
    expect(again.id).toBe(tokens[4].id);
    expect(again.probability).toBeCloseTo(tokens[4].probability, 5);
  });

  it('draws by the seed, and tells the model’s own probability', async () => {
    const draw = async (seed: number) =>
      tokensOf(await told({ max_new_tokens: 8, temperature: 50, top_k: 1000, seed }));
    const [first, same, other] = [await draw(1), await draw(1), await draw(2)];
    expect(same).toEqual(first);
    expect(other.map(({ id }) => id)).not.toEqual(first.map(({ id }) => id));
    expect(Math.max(...first.map(({ rank }) => rank))).toBeGreaterThan(1);
    for (const { rank, probability, alternatives } of first)
      if (rank <= alternatives.length) expect(probability).toBe(alternatives[rank - 1].probability);
  });

  it('ends when nobody reads any more, and lets the next one in', async () => {
    const events = await told({ model: 'deep', max_new_tokens: 1024 }, ({ event }) => event === 'token');
    expect(tokensOf(events)).toHaveLength(1);
    await expect.poll(async () => (await client.health()).queue, { timeout: 20_000 }).toBe(0);
    expect(tokensOf(await told({ max_new_tokens: 1 }))).toHaveLength(1);
  });

  it('waits for its turn', async () => {
    const events: GenerationEvent[] = [];
    let begun = () => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    // One of them alone could be over before the next request has arrived.
    const before = Array.from({ length: 5 }, () =>
      told({ model: 'deep', max_new_tokens: 1024 }, () => {
        begun();
        return events.length > 0;
      }),
    );
    await running;
    await client.generate({ model: 'plain', prompt, max_new_tokens: 1 }, (event) => events.push(event));
    await Promise.all(before);
    const heard = events.map(({ event, data }) => (event === 'state' ? [data.state, data.queuePosition] : event));
    expect(heard[0]).toEqual(['queued', expect.any(Number)]);
    expect(heard.slice(-3)).toEqual([['running', 0], 'token', ['done', 0]]);
  });
});

describe('examples', () => {
  const file = () => join(workspace.root, 'models', 'examples.json');

  it('are none where there is no file, those of the file, and an error where it is damaged', async () => {
    expect(await client.examples()).toEqual({ examples: [] });
    const example = {
      id: 'a',
      title: 'A',
      description: '',
      prompt: PROMPT,
      needle: [0, 4],
      target: 'x',
      candidates: [],
    };
    await mkdir(join(workspace.root, 'models'), { recursive: true });
    await writeFile(file(), JSON.stringify([example]));
    expect(await client.examples()).toEqual({ examples: [example] });
    await writeFile(file(), '[{"id": 1}]');
    await expect(client.examples()).rejects.toMatchObject({
      status: 500,
      message: expect.stringContaining('examples'),
    });
  });
});

describe('refusals', () => {
  const long = 'Mary '.repeat(100_000);
  const run = '/api/runs';
  const test = { kind: 'knockout', model: 'plain', prompt: PROMPT, target: 'kitchen' };

  it.each<[string, () => Promise<Response>, number]>([
    [
      'JSON that is none',
      () => send(run, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }),
      400,
    ],
    ['another content type', () => json(run, request(), 'text/plain'), 400],
    ['a field of the wrong type', () => json(run, { ...request(), prompt: 3 }), 400],
    ['three models', () => json(run, request({ models: ['plain', 'plain', 'plain'] })), 400],
    ['a bad query', () => send('/api/runs/x/map?layer=minus'), 400],
    ['an unknown model', () => json(run, request({ models: ['nobody'] })), 404],
    ['a path as a model', () => json(run, request({ models: ['../../secrets'] })), 404],
    ['an unknown model for the tokenizer', () => json('/api/tokenize', { model: 'nobody', text: 'a' }), 404],
    ['an unknown model for the vocabulary', () => send('/api/vocabulary?model=nobody&q=a'), 404],
    ['an unknown run', () => send('/api/runs/nothing'), 404],
    ['an endless name of a run', () => send(`/api/runs/${'x'.repeat(3000)}`), 404],
    ['resuming an unknown run', () => send('/api/runs/nothing/resume', { method: 'POST' }), 404],
    ['events of an unknown run', () => send('/api/runs/nothing/events'), 404],
    ['cancelling an unknown run', () => send('/api/runs/nothing', { method: 'DELETE' }), 404],
    ['a map of an unknown run', () => send('/api/runs/nothing/map?layer=0'), 404],
    ['a draw without a temperature', () => json('/api/generate', { model: 'plain', prompt: PROMPT, top_k: 2 }), 400],
    ['text from an unknown model', () => json('/api/generate', { model: 'nobody', prompt: PROMPT }), 404],
    ['text from a model without words', () => json('/api/generate', { model: 'wordless', prompt: PROMPT }), 422],
    ['an analysis of no kind', () => json('/api/analyses', { kind: 'magic', model: 'plain' }), 400],
    ['an analysis without its needle', () => json('/api/analyses', { ...test, kind: 'cancellation' }), 400],
    ['an analysis of an unknown model', () => json('/api/analyses', { ...test, model: 'nobody' }), 404],
    ['an analysis of a layer that is not there', () => json('/api/analyses', { ...test, layers: [9] }), 422],
    ['an unknown analysis', () => send('/api/analyses/nothing'), 404],
    ['events of an unknown analysis', () => send('/api/analyses/nothing/events'), 404],
    ['tensors of an unknown analysis', () => send('/api/analyses/nothing/tensors'), 404],
    ['cancelling an unknown analysis', () => send('/api/analyses/nothing', { method: 'DELETE' }), 404],
    ['a hundred thousand tokens', () => json(run, request({ prompt: long, needle: undefined })), 413],
    ['a body of megabytes', () => json(run, request({ prompt: long.repeat(10), needle: undefined })), 413],
    ['a model without a tokenizer', () => json(run, request({ models: ['wordless'] })), 422],
    ['an unknown target', () => json(run, request({ target: 'submarine' })), 422],
  ])('of %s', async (_what, answer, status) => {
    const response = await answer();
    const { error } = ErrorBodySchema.parse(await response.json());
    expect([response.status, error.message]).toEqual([status, expect.stringMatching(/^[A-Z"].*\.$/)]);
    expect(error.message.length).toBeLessThan(1001);
    expect((await client.health()).queue).toBe(0);
  });
});

describe('sweeps', () => {
  const asked = {
    kind: 'snr' as const,
    models: ['plain', ['diff', 'diff']],
    sources: [
      { name: 'short', examples: 'demo:2' },
      { name: 'own', examples: [{ prompt: PROMPT, target: 'kitchen' }] },
    ],
    resamples: 20,
  };

  it('are refused where nothing is kept', async () => {
    await expect(client.sweeps()).rejects.toMatchObject({
      status: 422,
      message: expect.stringMatching(/STATESCOPE_DATA/),
    });
    await expect(client.startSweep(asked)).rejects.toMatchObject({ status: 422 });
  });

  it('are made, worked on and read, and refused with a sentence', async () => {
    await closeService();
    delete (globalThis as { [key: symbol]: unknown })[Symbol.for('statescope.service')];
    process.env.STATESCOPE_DATA = join(workspace.root, 'data');
    expect(await client.sweeps()).toEqual([]);
    expect((await send('/api/sweeps/nothing', { method: 'DELETE' })).status).toBe(404);
    const refused: [object, number, RegExp][] = [
      [{ ...asked, kind: 'train' }, 400, /kind/],
      [{ ...asked, models: ['nobody'] }, 404, /no model "nobody"/],
      [{ ...asked, models: ['/etc'] }, 404, /no model/],
      [{ ...asked, kind: 'allocation' }, 422, /Example 1 of own has no needle/],
      [{ ...asked, layers: [0] }, 400, /layers/],
    ];
    for (const [request, status, message] of refused) {
      const response = await json('/api/sweeps', request);
      const { error } = ErrorBodySchema.parse(await response.json());
      expect([response.status, error.message]).toEqual([status, expect.stringMatching(message)]);
    }
    const made = await client.startSweep(asked);
    expect(made).toMatchObject({ kind: 'snr', state: 'open', items: 9, failed: [] });
    await expect.poll(async () => (await client.sweep(made.id)).state, { timeout: 60_000 }).toBe('done');
    const whole = await client.sweep(made.id);
    expect(whole).toMatchObject({ done: 9, active: 0, workers: [{ items: 9 }] });
    expect(whole.result).toMatchObject({ sources: [{ source: 'short' }, { source: 'own' }] });
    expect((await client.startSweep(asked)).id).toBe(made.id);
    expect((await client.cancelSweep(made.id)).state).toBe('done');
    expect((await client.sweeps()).map(({ id, state }) => [id, state])).toEqual([[made.id, 'done']]);
    expect((await send('/api/sweeps/nothing')).status).toBe(404);
  });
});

describe('the folder of routes', () => {
  it('has no handler that was not asked above, and no reading', () => {
    const handlers = ROUTES.flatMap(({ name, module }) =>
      (['GET', 'POST', 'PATCH', 'DELETE'] as const)
        .filter((method) => module[method])
        .flatMap((method) =>
          name.includes('[...reading]')
            ? Object.keys(READINGS).map((reading) => `${method} ${name.replace('[...reading]', reading)}`)
            : `${method} ${name}`,
        ),
    );
    expect(handlers.length).toBeGreaterThan(25);
    expect(handlers.filter((handler) => !met.has(handler))).toEqual([]);
  });

  it('gave answers that are word for word what their schemas say', () => {
    expect(contract.faults).toEqual([]);
  });
});
