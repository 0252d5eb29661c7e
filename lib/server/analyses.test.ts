import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patchGrid } from '@/lib/analysis';
import { type AnalysisEvent, type AnalysisRequestInput, AnalysisRequestSchema, AnalysisSchema } from '@/lib/api/causal';
import { RunRequestSchema } from '@/lib/api/schemas';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { decodeSafetensors } from '@/lib/safetensors';
import { isFinal } from './book';
import { Service } from './service';
import { makeWorkspace, PROMPT, request, type Workspace } from './testing/workspace';

process.env.STATESCOPE_DEVICE = 'cpu';

let workspace: Workspace;
let service: Service;

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
  service = new Service(workspace.settings);
});

afterAll(async () => {
  await service.worker.close();
  await workspace.remove();
});

const question = { target: 'kitchen', foil: 'garden' };
const knockout = { kind: 'knockout', model: 'plain', prompt: PROMPT, ...question } as const;
/** Thousands of small steps. */
const long: AnalysisRequestInput = {
  kind: 'lambda',
  model: 'diff',
  prompt: PROMPT,
  ...question,
  values: Array.from({ length: 1000 }, (_, i) => i / 1000),
};
const LONG = 'Mary '.repeat(64);
const corrupted = PROMPT.replace('kitchen', 'office');

const start = (input: AnalysisRequestInput) => service.createAnalysis(AnalysisRequestSchema.parse(input));

/** Events until a test on one is true; at the latest until the end. */
function until(id: string, test: (event: AnalysisEvent) => boolean = () => false): Promise<AnalysisEvent[]> {
  return new Promise((resolve) => {
    const events: AnalysisEvent[] = [];
    const leave = service.subscribeAnalysis(id, (event) => {
      events.push(structuredClone(event));
      const last = (event.event === 'analysis' || event.event === 'state') && isFinal(event.data);
      if (!last && !test(event)) return;
      queueMicrotask(() => leave());
      resolve(events);
    });
  });
}

const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));
const tensorsOf = (id: string) => decodeSafetensors(service.analysisTensors(id).slice().buffer).tensors;

async function withModel<T>(name: string, work: (model: Model) => T): Promise<T> {
  const model = createModel(await loadCheckpoint(`${workspace.root}/models/${name}`));
  try {
    return work(model);
  } finally {
    model.dispose();
  }
}

const idsOf = async (text: string) => (await service.tokenize({ model: 'plain', text })).map(({ id }) => id);

describe('a causal test', () => {
  it('patches as the library does, layer by layer, in JSON and in tensors', async () => {
    const { id } = await start({ kind: 'patch', model: 'diff', clean: PROMPT, corrupted, ...question });
    const events = await until(id);
    const analysis = AnalysisSchema.parse(asJson(service.analysis(id)));
    expect(analysis).toMatchObject({ state: 'done', queuePosition: 0, progress: { secondsLeft: expect.closeTo(0) } });
    expect(analysis.budget.bytes).toBeGreaterThan(0);

    const [target, foil] = await idsOf('kitchen garden');
    const texts = [await idsOf(PROMPT), await idsOf(corrupted)];
    const expected = await withModel('diff', (model) =>
      patchGrid(model, { clean: texts[0], corrupted: texts[1], point: 'hook_resid_pre', target, foil }),
    );
    const { result } = analysis;
    if (result?.kind !== 'patch') throw new Error('not a patch');
    expect(result.spans).toHaveLength(texts[0].length);
    const values = result.patched.flat();
    for (const [k, value] of expected.patched.entries()) expect(values[k]).toBeCloseTo(value, 5);
    const tensor = tensorsOf(id).get('patch.effect');
    expect(tensor?.shape).toEqual([3, texts[0].length]);
    for (const [k, value] of expected.effect.entries()) expect(tensor?.data[k]).toBeCloseTo(value, 4);

    const rows = events.flatMap(({ event, data }) =>
      event === 'result' && 'patched' in data ? [data.patched.filter((row) => !row.some(Number.isNaN)).length] : [],
    );
    expect(rows).toEqual([1, 2, 3]);
    expect(events.at(-1)).toEqual({ event: 'state', data: { state: 'done' } });
  });

  it('answers what is asked for by the name of cancellation by allocation, and says so', async () => {
    const classes = { competing: [[26, 49]] as [number, number][] };
    const example = { prompt: PROMPT, target: 'kitchen', foil: 'garden', needle: [0, 24] as [number, number], classes };
    const examples = [example, { ...example, target: 'office' }];
    const common = { model: 'diff', layers: [2], memory_mb: 512 };
    const resultOf = async (input: AnalysisRequestInput) => {
      const { id } = await start(input);
      await until(id);
      const { result } = AnalysisSchema.parse(asJson(service.analysis(id)));
      if (result?.kind !== 'allocation') throw new Error('not an allocation');
      return result;
    };
    const asked = { ...common, examples, resamples: 50, seed: 3 };
    const { note, ...former } = await resultOf({ kind: 'cancellation_batch', ...asked });
    const now = await resultOf({ kind: 'allocation', models: ['diff'], layers: [2], examples, resamples: 50, seed: 3 });
    expect(note).toContain('Ask for kind "allocation"');
    expect(former).toEqual(now);
    expect(now.models[0].layers[0]).toMatchObject({ layer: 2, differential: true });

    const one = { ...common, prompt: PROMPT, target: 'kitchen', foil: 'garden', needle: [0, 5] as [number, number] };
    const { note: said, ...single } = await resultOf({ kind: 'cancellation', ...one, position: -2 });
    const tokens = await idsOf(PROMPT);
    const request = { prompt: PROMPT, target: 'kitchen', foil: 'garden', needle: [0, 5] as [number, number] };
    const position = tokens.length - 2;
    const line = { ...request, unit: 'tokens' as const, position };
    expect(said).toBe(note);
    expect(single).toEqual(await resultOf({ kind: 'allocation', models: ['diff'], layers: [2], examples: [line] }));
    expect(single.models[0].layers[0].tokens.needle).toBe(5);
    await expect(start({ kind: 'cancellation', ...one, position: 99 })).rejects.toMatchObject({ status: 422 });
  });

  it('says of a word of several tokens that only the first is read', async () => {
    const asked = { kind: 'knockout', model: 'plain', prompt: PROMPT } as const;
    const { note } = await start({ ...asked, target: 'kitchen garden', foil: 'office' });
    expect(note).toBe('The target "kitchen garden" is 2 tokens; only the first, "kitchen", is read.');
    expect((await start({ ...asked, target: 'kitchen' })).note).toBeUndefined();
  });

  it('has an id before its examples are read, and says which of them a model cannot read', async () => {
    const examples = [
      { prompt: PROMPT, target: 'kitchen' },
      { prompt: PROMPT, target: 'submarine' },
    ];
    const { id } = await start({ kind: 'snr', models: ['plain'], examples });
    const progress = (await until(id)).flatMap(({ event, data }) => (event === 'progress' ? [data] : []));
    expect(progress).toMatchObject([{ done: 1, total: 6, secondsLeft: null }]);
    expect(service.analysis(id)).toMatchObject({
      state: 'error',
      error: expect.stringMatching(/^Line 2 of the examples: .*"submarine"/),
    });
    await expect(start({ kind: 'snr', models: ['plain'], examples: [{ prompt: PROMPT }] })).rejects.toMatchObject({
      status: 422,
    });
  });

  it('of allocation has an id before its examples are read too', async () => {
    const example = { prompt: PROMPT, target: 'kitchen', needle: [0, 24] as [number, number] };
    const batch = { kind: 'allocation' as const, models: ['diff'], resamples: 50 };
    const { id, budget } = await start({ ...batch, examples: [example, { ...example, target: 'submarine' }] });
    expect(budget.bytes).toBeGreaterThan(0);
    const progress = (await until(id)).flatMap(({ event, data }) => (event === 'progress' ? [data] : []));
    // Three layers a prompt, after two prompts that are read.
    expect(progress).toMatchObject([{ done: 1, total: 8, secondsLeft: null }]);
    expect(service.analysis(id)).toMatchObject({
      state: 'error',
      error: expect.stringMatching(/^Line 2 of the examples: .*"submarine"/),
    });

    const busy = await start(long);
    const waits = await start({ ...batch, examples: [example] });
    service.cancelAnalysis(waits.id);
    service.cancelAnalysis(busy.id);
    await until(waits.id);
    expect(service.analysis(waits.id)).toMatchObject({ state: 'cancelled', result: null });
  });

  it.each<[AnalysisRequestInput, Record<string, number[]>]>([
    [{ ...knockout, spans: [[4, 5]], layers: [1, 3], reads: 'block' }, { 'knockout.change': [2, 1] }],
    [
      { ...knockout, kind: 'ablate', unit: 'head', method: 'mean', reference: [PROMPT], layers: [2] },
      { 'ablate.kl': [4] },
    ],
    [
      { ...knockout, kind: 'ablate', model: 'wordless', prompt: [1, 2, 3], target: 4, foil: 5 },
      { 'ablate.value': [1] },
    ],
    [{ ...knockout, kind: 'lambda', model: 'diff', values: [0, 1], together: true }, { 'ablate.change': [2] }],
    [
      {
        ...knockout,
        kind: 'intervene',
        model: 'diff',
        lambdas: [{ layer: 2, value: 0 }],
        removed: [{ layer: 1, unit: 'block' }],
      },
      { 'intervene.changed.target_prob': [3] },
    ],
  ])('of every kind fits the schema: %j', async (input, shapes) => {
    const { id } = await start(input);
    await until(id);
    const { result, state, error } = AnalysisSchema.parse(asJson(service.analysis(id)));
    expect([state, error, result?.kind]).toEqual(['done', undefined, input.kind]);
    const tensors = tensorsOf(id);
    for (const [name, shape] of Object.entries(shapes)) expect(tensors.get(name)?.shape).toEqual(shape);
  });

  it('takes a reference as prompts, as stories or as the prompt itself, says which, and refuses to guess', async () => {
    const ablate = { ...knockout, kind: 'ablate' as const, method: 'mean' as const, layers: [0], seed: 1 };
    const asked = [[PROMPT, 'Mary went'], 'demo:1', 'self'] as const;
    const used = await Promise.all(
      asked.map(async (reference) => {
        const { id } = await start({
          ...ablate,
          reference: typeof reference === 'string' ? reference : [...reference],
        });
        await until(id);
        const { result } = service.analysis(id);
        return result?.kind === 'ablate' ? result.reference : undefined;
      }),
    );
    expect(used).toEqual([
      { source: 'prompts', prompts: 1, left_out: 1 },
      { source: 'prompts', prompts: 1, left_out: 0 },
      { source: 'self', prompts: 1, left_out: 0 },
    ]);
    await expect(start(ablate)).rejects.toMatchObject({ status: 422, message: expect.stringMatching(/reference/) });
  });

  it('is cancelled between two steps, keeps what is finished, and lets the next one run', async () => {
    const first = await start(long);
    const next = await start({ ...knockout, layers: [3], spans: [[4, 5]] });
    const run = await service.createRun(RunRequestSchema.parse(request()));
    expect([next.queuePosition, run.queuePosition]).toEqual([1, 2]);
    expect(() => service.analysisTensors(first.id)).toThrow(expect.objectContaining({ status: 409 }));
    await until(first.id, ({ event }) => event === 'result');
    expect(service.health()).toMatchObject({ status: 'ready', queue: 3 });
    await service.models();
    expect(service.analysis(first.id).state).toBe('running');
    service.cancelAnalysis(first.id);
    await until(first.id);
    const { state, result, progress } = service.analysis(first.id);
    expect(state).toBe('cancelled');
    expect(progress?.done).toBeLessThan(progress?.total as number);
    const runs = result?.kind === 'lambda' ? result.runs.length : 0;
    expect(runs).toBeGreaterThan(0);
    expect(runs).toBeLessThan(2000);
    expect(tensorsOf(first.id).get('ablate.change')?.shape).toEqual([runs]);
    await until(next.id);
    expect(service.analysis(next.id).state).toBe('done');
  });

  it('is cancelled at once while it waits', async () => {
    const first = await start(long);
    const waiting = await start(knockout);
    expect(service.cancelAnalysis(waiting.id).state).toBe('cancelled');
    expect(() => service.analysisTensors(waiting.id)).toThrow(expect.objectContaining({ status: 409 }));
    service.cancelAnalysis(first.id);
    await until(first.id);
    await vi.waitFor(() => expect(service.health().queue).toBe(0), 60_000);
  });

  it('ends as an error with one sentence where the model lacks what is to be patched', async () => {
    const { id } = await start({
      kind: 'patch',
      model: 'plain',
      clean: PROMPT,
      corrupted,
      ...question,
      point: 'hook_y',
      channels: [99_999],
    });
    await until(id);
    expect(service.analysis(id)).toMatchObject({
      state: 'error',
      error: expect.stringMatching(/no channel 99999.*\.$/),
    });
  });

  it.each<[string, AnalysisRequestInput, number, RegExp]>([
    ['an unknown model', { ...knockout, model: 'nobody' }, 404, /no model "nobody"/],
    ['a target outside the vocabulary', { ...knockout, target: 'submarine' }, 422, /submarine/],
    ['a target id outside the vocabulary', { ...knockout, target: 99_999 }, 422, /99999 is outside/],
    ['a prompt id outside the vocabulary', { ...knockout, prompt: [1, 99_999] }, 422, /99999 is outside/],
    ['a layer that is not there', { ...knockout, layers: [4] }, 422, /no layer 4/],
    ['a span outside the prompt', { ...knockout, spans: [[4, 500]] }, 422, /500/],
    [
      'prompts that are not aligned',
      { kind: 'patch', model: 'plain', clean: PROMPT, corrupted: 'Mary', ...question },
      422,
      /clean prompt has/,
    ],
    [
      'a hook point that is not there',
      { kind: 'patch', model: 'plain', clean: PROMPT, corrupted: PROMPT, point: 'hook_nothing', ...question },
      422,
      /has no hook point hook_nothing/,
    ],
    ['an intervention that changes nothing', { ...knockout, kind: 'intervene' }, 422, /Nothing is changed/],
    ['λ of a plain model', { ...knockout, kind: 'lambda', values: [0] }, 422, /no differential blocks/],
    ['a model without words', { ...knockout, model: 'wordless' }, 422, /no tokenizer/],
    ['too many tokens', { ...knockout, prompt: 'Mary '.repeat(65) }, 422, /limit is 64/],
    ['far too much text', { ...knockout, prompt: 'Mary '.repeat(10_000) }, 413, /characters/],
    [
      'too little memory',
      { kind: 'patch', model: 'deep', clean: LONG, corrupted: LONG, memory_mb: 1, ...question },
      422,
      /limit is 1 MB/,
    ],
  ])('refuses %s before it is queued', async (_what, input, status, message) => {
    await expect(start(input)).rejects.toMatchObject({ status, message: expect.stringMatching(message) });
    expect(service.health().queue).toBe(0);
  });
});
