import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { z } from 'zod';
import {
  type AllocationRequest,
  allocationBatchSteps,
  drain,
  faithfulness,
  lensOf,
  residualsOf,
  summariseAllocation,
} from '@/lib/analysis';
import { AllocationResultSchema, AllocationTaskSchema } from '@/lib/api/allocation';
import { type SnrRequestInput, SnrTaskSchema } from '@/lib/api/analyses';
import type { AnalysisProgress } from '@/lib/api/causal';
import { FaithfulnessResultSchema, FaithfulnessTaskSchema } from '@/lib/api/faithfulness';
import { RunRequestSchema } from '@/lib/api/schemas';
import { loadCheckpoint } from '@/lib/checkpoint';
import { parseSnrExamples, readerOf } from '@/lib/data/snr-examples';
import { openDevice } from '@/lib/engine';
import { createModel } from '@/lib/models';
import { Random } from '@/lib/random';
import { decodeSafetensors } from '@/lib/safetensors';
import { loadTokenizer } from '@/lib/tokenizer';
import { TUNED_LENS_DEFAULTS, trainTunedLens } from '@/lib/training/tuned-lens';
import type { PreparedSnr } from '../../prepared';
import type { AnalysisUpdate } from '../../protocol';
import { OneThread } from '../../testing/one-thread';
import { makeWorkspace, PROMPT, read, request, type Workspace } from '../../testing/workspace';

let workspace: Workspace;
let computer: OneThread;
const told: { update: AnalysisUpdate }[] = [];

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
  computer = new OneThread(workspace.settings, (message) => {
    if (message.kind === 'analysis') told.push(message);
  });
  const models = await computer.reader.answer(
    'prepare',
    RunRequestSchema.parse(request({ models: ['plain', 'diff'] })),
  );
  await computer.answer('run', { id: 'run', models, cancel: new Int32Array(1) });
});
afterAll(() => workspace.remove());

const folder = (name: string) => join(workspace.root, 'models', name);

describe('a logit taken apart', () => {
  it('adds up to the logit, with the branches of differential blocks, and leaves nothing behind', async () => {
    const before = tf.memory().numTensors;
    const found = await read(computer, 'run', 'attribution', { model: 1, target: 5, position: 2 });
    expect(tf.memory().numTensors).toBe(before);
    const sum = found.components.reduce((total, { contribution }) => total + contribution, 0);
    expect(sum).toBeCloseTo(found.logit, 5);
    expect(found.blocks).toHaveLength(3);
    expect(found.components.map(({ part }) => part)).toContain('minus_lambda_branch_2');
    expect(found).toMatchObject({ target: 5, position: 2 });
  });

  it.each([
    [{ target: 1e6 }, /outside the vocabulary/],
    [{ position: 999 }, /outside the prompt/],
  ])('%j is refused', async (query, message) => {
    await expect(read(computer, 'run', 'attribution', query)).rejects.toMatchObject({
      status: 422,
      message: expect.stringMatching(message),
    });
  });
});

describe('the score of a whole answer', () => {
  it('is ln p of its tokens, each given those before it, as the signal has it for the first', async () => {
    const answer = [5, 9, 3];
    const found = await read(computer, 'run', 'answer', { model: 1, position: 4, answer });
    const { target_logprob: first } = await read(computer, 'run', 'signal', { model: 1, position: 4, target: 5 });
    expect(found.tokens.map(({ id }) => id)).toEqual(answer);
    expect(found.tokens[0].logprob).toBeCloseTo(first.at(-1) as number, 4);
    expect(found.logprob).toBeCloseTo(
      found.tokens.reduce((sum, { logprob }) => sum + (logprob as number), 0),
      10,
    );
    const alone = await read(computer, 'run', 'answer', { model: 1, position: 4, answer: [9] });
    expect(alone.logprob).not.toBeCloseTo(found.tokens[1].logprob as number, 3);
  });

  it('is of the run’s own answer by default, which the run names where it has several tokens', async () => {
    const own = request({ models: ['plain'], target: 'kitchen garden' });
    const models = await computer.reader.answer('prepare', RunRequestSchema.parse(own));
    expect(models[0].answer?.map(({ text }) => text)).toEqual(['kitchen', 'garden']);
    expect(models[0].target).toEqual(models[0].answer?.[0]);
    await computer.answer('run', { id: 'several', models, cancel: new Int32Array(1) });
    const { tokens } = await read(computer, 'several', 'answer', {});
    expect(tokens.map(({ id }) => id)).toEqual(models[0].answer?.map(({ id }) => id));
    const { tokens: single } = await read(computer, 'run', 'answer', {});
    expect(single).toHaveLength(1);
  });

  it('is refused outside the vocabulary', async () => {
    await expect(read(computer, 'run', 'answer', { answer: [1e6] })).rejects.toMatchObject({ status: 422 });
  });
});

describe('SNR over a batch', () => {
  const task = (overrides: Partial<SnrRequestInput> = {}) => {
    const example = { prompt: PROMPT, target: 'kitchen', needle: [0, 24] as [number, number] };
    const other = { ...example, prompt: `John left. ${PROMPT}`, target: 'garden' };
    const input = { kind: 'snr', models: ['plain'], examples: [example, other], resamples: 50, ...overrides };
    return computer.reader.answer('prepareAnalysis', SnrTaskSchema.parse(input));
  };
  const run = async (overrides: Partial<SnrRequestInput> = {}, cancel = new Int32Array(1)) =>
    computer.answer('analyse', { id: 'snr', analysis: await task(overrides), cancel });
  const ask = async (overrides: Partial<SnrRequestInput> = {}) => {
    const { result } = await run(overrides);
    if (result?.kind !== 'snr') throw new Error('not an SNR');
    return result;
  };

  it('is the same for the same seed, and has intervals around its means', async () => {
    const reply = await ask();
    expect(reply).toEqual(await ask());
    expect(reply.difference).toBeNull();
    expect(reply.models[0].rows.length).toBe(7 * 6);
    for (const { mean, low, high } of reply.models[0].rows.filter((row) => row.n > 0))
      expect((low as number) <= (mean as number) && (mean as number) <= (high as number)).toBe(true);
    expect(JSON.stringify(reply)).not.toContain('NaN');
  });

  it('compares two models on the entries that both have', async () => {
    const { models, difference } = await ask({
      models: ['plain', 'diff'],
      metrics: ['margin', 'margin_std', 'target_log_odds'],
    });
    const at = (rows: readonly { entry: string; mean: number | null }[], entry: string) =>
      rows.find((row) => row.entry === entry)?.mean as number;
    const scaled = models.map(({ rows }) => rows.filter(({ metric }) => metric === 'margin_std'));
    expect(at(difference ?? [], 'final')).toBeCloseTo(at(scaled[1], 'final') - at(scaled[0], 'final'), 10);
    // Logits of two models have no common unit.
    expect(new Set(difference?.map(({ metric }) => metric))).toEqual(new Set(['margin_std', 'target_log_odds']));
    expect(difference?.map(({ entry }) => entry)).not.toContain('layer 3');
  });

  it('takes the former name of a metric and says what it is called now', async () => {
    const { models, notes } = await ask({ metrics: ['log_odds'] });
    const now = await ask({ metrics: ['margin'] });
    expect(models).toEqual(now.models);
    expect(notes).toMatchObject([expect.stringContaining('"log_odds" is called "margin" now')]);
    expect(now.notes).toEqual([]);
  });

  it('tells how far it is and what the first model gave, and gives every sample as tensors', async () => {
    told.length = 0;
    const before = tf.memory().numTensors;
    const { state, tensors } = await run({ models: ['plain', 'diff'], metrics: ['margin', 'target_prob'] });
    expect(tf.memory().numTensors).toBeLessThanOrEqual(before + 200);
    expect(state).toBe('done');
    const steps = told.flatMap(({ update }) => (update.type === 'progress' ? [update.progress] : []));
    expect(steps.map(({ done }) => done)).toEqual([...steps.map(({ done }) => done)].sort((a, b) => a - b));
    expect(steps.at(-1)).toMatchObject({ done: 12, total: 12 } satisfies Partial<AnalysisProgress>);
    const between = told.flatMap(({ update }) => (update.type === 'result' ? [update.result] : []));
    expect(between).toMatchObject([{ kind: 'snr', models: [{ model: 'plain' }], difference: null }]);
    const found = decodeSafetensors((tensors as Uint8Array<ArrayBuffer>).buffer).tensors;
    expect(found.get('snr.0.margin')?.shape).toEqual([6, 2]);
    expect(found.get('snr.1.target_prob')?.shape).toEqual([5, 2]);
    const [a, b] = found.get('snr.0.margin')?.data.slice(-2) ?? [];
    const { models } = await ask({ metrics: ['margin'] });
    expect(models[0].rows.at(-1)?.mean).toBeCloseTo((a + b) / 2, 4);
  });

  it('scores answers of several tokens whole, and says that metrics read the first', async () => {
    const example = { prompt: PROMPT, target: 'kitchen garden' };
    const { models, notes } = await ask({ examples: [example, { ...example, target: 'garden' }] });
    expect(notes).toEqual([expect.stringContaining('1 of 2 answers have several tokens in plain')]);
    const first = models[0].rows.find(({ entry, metric }) => entry === 'final' && metric === 'target_prob');
    const whole = models[0].answer_logprob;
    expect(whole?.n).toBe(2);
    expect(whole?.mean as number).toBeLessThan(Math.log(first?.mean as number));
    expect((await ask({ examples: [{ ...example, target: 'garden' }] })).models[0].answer_logprob).toBeUndefined();
  });

  it('stops between two examples', async () => {
    expect(await run({}, Int32Array.of(1))).toEqual({ state: 'cancelled', result: null, tensors: null });
  });

  it('tells stories of its own', async () => {
    const stories = await ask({ examples: 'demo:2', metrics: ['needle_against_context'] });
    expect(stories.models[0].rows.find(({ entry }) => entry === 'layer 0')?.n).toBe(2);
    expect(await ask({ examples: 'demo:2', seed: 1, metrics: ['needle_against_context'] })).not.toEqual(stories);
  });

  it('is accepted before any tokenizer has read it, and read step by step', async () => {
    told.length = 0;
    const prepared = (await task({ models: ['plain', 'diff'], examples: 'demo:2' })) as PreparedSnr;
    expect(prepared).toEqual({
      task: expect.objectContaining({ examples: 'demo:2' }),
      examples: 2,
      budget: { rows: 1, bytes: expect.any(Number) },
      tokenizers: {
        plain: { name: 'tokenizer.json', source: 'model' },
        diff: { name: 'tokenizer.json', source: 'model' },
      },
    });
    const { budget } = (await task({ examples: [{ tokens: [1, 2], target: 3 }] })) as PreparedSnr;
    expect(budget.bytes).toBeLessThan(prepared.budget.bytes);
    await computer.answer('analyse', { id: 'snr', analysis: prepared, cancel: new Int32Array(1) });
    const steps = told.flatMap(({ update }) => (update.type === 'progress' ? [update.progress] : []));
    expect(steps.slice(0, 4).map(({ done, secondsLeft }) => [done, secondsLeft])).toEqual(
      Array.from({ length: 4 }, (_, k) => [k + 1, null]),
    );
    expect(steps[5].secondsLeft).toBeGreaterThan(0);
  });

  it('is refused for prompts that are too long, and for models without what it needs', async () => {
    const long = { prompt: `${PROMPT} `.repeat(9), target: 'kitchen' };
    await expect(ask({ examples: [long] })).rejects.toMatchObject({ status: 422 });
    await expect(ask({ examples: [{ prompt: PROMPT }] })).rejects.toThrow(/Line 1 .* needs a target/);
    await expect(ask({ models: ['wordless'] })).rejects.toMatchObject({ status: 422 });
    await expect(ask({ lens: 'tuned' })).rejects.toMatchObject({
      status: 422,
      hint: expect.stringContaining('tuned-lens'),
    });
  });
});

describe('the tuned lens of a model', () => {
  const lens = async (query: object) => {
    const { tensors, metadata } = decodeSafetensors((await read(computer, 'run', 'lens', query)).buffer);
    return { tensors, metadata };
  };

  it('is read from its folder, and candidates are those asked for', async () => {
    await expect(lens({ lens: 'tuned' })).rejects.toMatchObject({ status: 422 });
    const model = createModel(await loadCheckpoint(folder('plain')));
    const out = join(folder('plain'), 'tuned-lens');
    await mkdir(out);
    const options = { ...TUNED_LENS_DEFAULTS, steps: 2, tokensPerStep: 4 };
    const rows = Array.from({ length: 10 }, (_, k) => [k, 2, 3, 4]);
    const { held_out } = await trainTunedLens(model, rows, out, options);
    const { tensors, metadata } = await lens({ lens: 'tuned', target: 5, candidates: [5, 6, 7] });
    expect(metadata.lens).toBe('tuned');
    expect(metadata.entries.split(',')).toEqual(['layer 0', 'layer 1', 'layer 2', 'layer 3', 'final']);
    expect(
      (await computer.reader.answer('models', null)).models.filter((one) => one.hasTunedLens).map(({ name }) => name),
    ).toEqual(['plain']);
    const { models } = await computer.reader.answer('models', null);
    const shown = models.find(({ name }) => name === 'plain')?.heldOut;
    expect(shown).toMatchObject({
      tokens: 4,
      layers: held_out?.layers.map(({ kl, logit_lens_kl }) => ({ kl, logit_lens_kl })),
    });
    // Two steps are no fit.
    expect(shown?.layers[0].fault).toMatch(/not converged|no better/);
    const { entries, target_prob, needle_against_context } = await read(computer, 'run', 'signal', {
      lens: 'tuned',
      target: 5,
      position: 2,
      needle: [0, 3],
      with: 'needle_against_context',
    });
    expect(entries).toEqual(metadata.entries.split(','));
    const L = (tensors.get('target_prob')?.data.length ?? 0) / entries.length;
    for (const [entry, value] of target_prob.entries())
      expect(value).toBeCloseTo(tensors.get('target_prob')?.data[entry * L + 2] as number, 5);
    expect(needle_against_context?.map((value) => value !== null)).toEqual([true, true, true, true, false]);
    const run = await lens({ lens: 'logit', target: 5, candidates: [5, 6, 7] });
    expect(tensors.get('target_prob')?.data[0]).not.toBe(run.tensors.get('target_prob')?.data[0]);
    const other = await lens({ lens: 'logit', target: 5, candidates: [5, 8, 9] });
    expect(other.tensors.get('snr_candidates')?.data[0]).not.toBe(run.tensors.get('snr_candidates')?.data[0]);
    const ids = (await computer.reader.answer('tokenize', { model: 'plain', text: PROMPT })).map(({ id }) => id);
    const { statistics } = lensOf(model, residualsOf(model, [ids]), { targets: [5], candidates: [[5, 6, 7]] });
    expect(run.tensors.get('snr_candidates')?.data[0]).toBeCloseTo(statistics.snr_candidates[0], 4);
    model.dispose();
    await rm(out, { recursive: true });
  });
});

describe('faithfulness over a batch', () => {
  const example = { prompt: PROMPT, target: 'kitchen', foil: 'garden' };
  const prepare = (input: Partial<z.input<typeof FaithfulnessTaskSchema>> = {}) =>
    computer.reader.answer(
      'prepareAnalysis',
      FaithfulnessTaskSchema.parse({
        kind: 'faithfulness',
        models: ['plain'],
        examples: [example, { ...example, prompt: `John left. ${PROMPT}` }],
        orders: ['norm', 'logit', 'random'],
        points: 3,
        draws: 2,
        resamples: 30,
        ...input,
      }),
    );
  const run = async (input: Parameters<typeof prepare>[0] = {}, cancel = new Int32Array(1)) =>
    computer.answer('analyse', { id: 'faithfulness', analysis: await prepare(input), cancel });
  const ask = async (input: Parameters<typeof prepare>[0] = {}) =>
    FaithfulnessResultSchema.parse(JSON.parse(JSON.stringify((await run(input)).result)));

  it('says what the library says, with intervals, frozen norms and curves, the same for the same seed', async () => {
    const found = await ask({ models: ['plain', 'diff'] });
    expect(found).toMatchObject({ examples: 2, intervals: { over: 'prompts' } });
    expect(found.models.map(({ model }) => model)).toEqual(['plain', 'diff']);
    expect(found).toEqual(await ask({ models: ['plain', 'diff'] }));
    const tokens = await computer.reader.answer('tokenize', { model: 'plain', text: PROMPT });
    const id = async (word: string) =>
      (await computer.reader.answer('answerTokens', { model: 'plain', text: word }))[0].id;
    const model = createModel(await loadCheckpoint(folder('plain')));
    const question = { target: await id('kitchen'), foil: await id('garden'), points: 3 };
    const request = { tokens: tokens.map((token) => token.id), ...question, orders: ['norm'] as const };
    const own = faithfulness(model, request, new Random(1)).get('norm');
    model.dispose();
    const [{ orders }] = (await ask({ examples: [example] })).models;
    expect(orders[0].order).toBe('norm');
    expect(orders[0].deletion_area).toEqual({ mean: expect.any(Number) });
    for (const [k, value] of orders[0].deletion.entries()) expect(value).toBeCloseTo(own?.deletion[k] as number, 3);
    for (const [k, value] of orders[0].frozen_norms.insertion.entries())
      expect(value).toBeCloseTo(own?.frozen_norms.insertion[k] as number, 3);
  });

  it('tells how far it is, gives its curves as tensors, and stops between blocks', async () => {
    told.length = 0;
    const { tensors, state } = await run({ orders: ['norm'] });
    expect(state).toBe('done');
    const steps = told.flatMap(({ update }) => (update.type === 'progress' ? [update.progress] : []));
    expect(steps.at(-1)).toMatchObject({ done: 42, total: 42 });
    expect(steps.map(({ done }) => done)).toEqual([...steps.map(({ done }) => done)].sort((a, b) => a - b));
    const found = decodeSafetensors((tensors as Uint8Array<ArrayBuffer>).buffer).tensors;
    expect(found.get('0.norm.frozen_norms.deletion')?.shape).toEqual([4]);
    expect(await run({}, Int32Array.of(1))).toEqual({ state: 'cancelled', result: null, tensors: null });
  });

  it('names the example that has no source', async () => {
    await expect(ask({ examples: [example, { prompt: 'kitchen', target: 'kitchen' }] })).rejects.toThrow(
      /Example 2: The prompt has one token/,
    );
  });
});

describe('allocation over a batch', () => {
  const NEEDLE: [number, number] = [PROMPT.indexOf('Mary'), PROMPT.indexOf('.')];
  const examples = [0, 1, 2].map((k) => ({
    prompt: `${'John left. '.repeat(k)}${PROMPT}`,
    target: 'kitchen',
    foil: 'garden',
    needle: NEEDLE.map((at) => at + k * 'John left. '.length) as [number, number],
  }));
  const prepare = (input: Partial<z.input<typeof AllocationTaskSchema>> = {}) =>
    computer.reader.answer(
      'prepareAnalysis',
      AllocationTaskSchema.parse({ kind: 'allocation', models: ['plain'], examples, resamples: 50, ...input }),
    );
  const run = async (input: Parameters<typeof prepare>[0] = {}, cancel = new Int32Array(1)) =>
    computer.answer('analyse', { id: 'allocation', analysis: await prepare(input), cancel });
  const ask = async (input: Parameters<typeof prepare>[0] = {}) => {
    const { result } = await run(input);
    return AllocationResultSchema.parse(JSON.parse(JSON.stringify(result)));
  };

  it('says of several models what the library says, with the paired difference, the same for the same seed', async () => {
    const found = await ask({ models: ['diff', ['diff', 'diff']] });
    const tokenizer = await loadTokenizer(join(folder('diff'), 'tokenizer.json'));
    const lines = examples.map((example) => JSON.stringify(example)).join('\n');
    const requests = await parseSnrExamples(lines, 'lines', async () => readerOf(tokenizer));
    const model = createModel(await loadCheckpoint(folder('diff')));
    const reads = drain(allocationBatchSteps(model, requests as AllocationRequest[]));
    model.dispose();
    const [, one] = found.models[0].layers.keys();
    const expected = summariseAllocation([reads.map((prompt) => prompt[one])], undefined);
    const layer = found.models[0].layers[one];
    expect(layer.net.logit.needle?.mean).toBeCloseTo(expected.net.logit.needle?.mean as number, 5);
    expect(layer.net.needle_against_context?.mean).toBeCloseTo(expected.net.needle_against_context?.mean as number, 5);
    expect(layer.tokens).toEqual(expected.tokens);
    expect(found).toMatchObject({ examples: 3, models: [{ model: 'diff' }, { model: 'diff+diff', seeds: 2 }] });
    expect(found.paired).toMatchObject([{ models: ['diff', 'diff+diff'] }]);
    expect(found.paired?.[0].layers[0].needle_against_context?.mean).toBeCloseTo(0, 10);
    expect(found).toEqual(await ask({ models: ['diff', ['diff', 'diff']] }));
  });

  it('has intervals over prompts, none of a single one', async () => {
    const of = async (n: number) => (await ask({ examples: examples.slice(0, n) })).models[0].layers[0].net;
    expect(Object.keys((await of(1)).norm_share.needle ?? {})).toEqual(['mean']);
    const { mean, low, high } = (await of(3)).norm_share.needle ?? { mean: Number.NaN };
    expect(low).toBeLessThanOrEqual(mean);
    expect(high).toBeGreaterThanOrEqual(mean);
    expect((await of(1)).norm_share.question).toBeNull();
  });

  it('takes the classes that an example brings', async () => {
    const at = PROMPT.indexOf('Where');
    const [{ prompt, target, needle }] = examples;
    const classes = { question: [[at, PROMPT.length - 1]] as [number, number][] };
    const { models } = await ask({ examples: [{ prompt, target, needle, classes }] });
    expect(models[0].layers[0].tokens.question).toBeGreaterThan(0);
    expect(models[0].layers[0].net.norm_share.question?.mean).toBeGreaterThan(0);
  });

  it('scores answers of several tokens whole, and says it of every model', async () => {
    const several = examples.map((example) => ({ ...example, target: 'kitchen garden' }));
    told.length = 0;
    const { models, note } = await ask({ models: ['plain', ['diff', 'diff']], examples: several });
    const steps = told.flatMap(({ update }) => (update.type === 'progress' ? [update.progress] : []));
    expect(steps.at(-1)?.done).toBe(steps.at(-1)?.total);
    for (const name of ['plain', 'diff'])
      expect(note?.match(new RegExp(`3 of 3 answers have several tokens in ${name}:`, 'g'))).toHaveLength(1);
    const task = SnrTaskSchema.parse({
      ...{ kind: 'snr', models: ['plain', 'diff'], examples: several, metrics: ['margin'] },
    });
    const analysis = await computer.reader.answer('prepareAnalysis', task);
    const { result } = await computer.answer('analyse', { id: 'scores', analysis, cancel: new Int32Array(1) });
    if (result?.kind !== 'snr') throw new Error('not an SNR');
    for (const [k, { answer_logprob: whole }] of models.entries()) {
      expect(whole?.mean).toBeCloseTo(result.models[k].answer_logprob?.mean as number, 6);
      expect(whole?.low).toBeLessThanOrEqual(whole?.mean as number);
    }
    const [alone] = (await ask({ examples: several.slice(0, 1) })).models;
    expect(Object.keys(alone.answer_logprob ?? {})).toEqual(['mean']);
    expect((await ask()).models[0].answer_logprob).toBeUndefined();
  });

  it('says of every model that what competes was found', async () => {
    const candidates = ['kitchen', 'garden'];
    const { note } = await ask({ models: ['plain', 'diff'], examples: [{ ...examples[0], candidates }] });
    for (const name of ['plain', 'diff'])
      expect(note).toContain(`Of 1 of 1 examples, what competes in ${name} was found`);
  });

  it('tells how far it is by example and layer, and what the first model gave; gives means as tensors', async () => {
    told.length = 0;
    const { state, tensors } = await run({ models: ['plain', 'diff'] });
    expect(state).toBe('done');
    const steps = told.flatMap(({ update }) => (update.type === 'progress' ? [update.progress.done] : []));
    // Twice three prompts are read, then they go through four layers and through three.
    expect(steps).toEqual(Array.from({ length: 6 + 3 * 4 + 3 * 3 }, (_, k) => k + 1));
    const between = told.flatMap(({ update }) => (update.type === 'result' ? [update.result] : []));
    expect(between).toMatchObject([{ kind: 'allocation', examples: 3, models: [{ model: 'plain' }] }]);
    const found = decodeSafetensors((tensors as Uint8Array<ArrayBuffer>).buffer).tensors;
    expect(found.get('0.3.net.norm_share')?.shape).toEqual([6]);
    expect(found.get('1.0.rejection_db')?.shape).toEqual([6]);
  });

  it('stops between two layers, with the prompts that are finished', async () => {
    expect(await run({}, Int32Array.of(1))).toEqual({ state: 'cancelled', result: null, tensors: null });
    const cancel = new Int32Array(1);
    const analysis = await prepare({ models: ['plain', 'diff'] });
    told.length = 0;
    const running = computer.answer('analyse', { id: 'allocation', analysis, cancel });
    // Six prompts are read; after one prompt and a layer of the next somebody cancels.
    await vi.waitFor(() => expect(told.length).toBeGreaterThanOrEqual(11), { interval: 0 });
    cancel[0] = 1;
    const { state, result } = await running;
    expect(state).toBe('cancelled');
    if (result?.kind !== 'allocation') throw new Error('not an allocation');
    expect(result.models.map(({ model }) => model)).toEqual(['plain']);
    expect([1, 2]).toContain(result.examples);
  });

  it.each([
    [{ examples: [{ prompt: PROMPT, target: 'kitchen' }] }, /Example 1 has no needle/],
    [{ layers: [4] }, /no layer 4/],
    [{ models: ['nobody'] }, /no model "nobody"/],
  ])('%j is refused before it is queued', async (input, message) => {
    await expect(prepare(input)).rejects.toThrow(message);
  });

  it('names the example that does not fit', async () => {
    const bad = { ...examples[0], position: 2, needle: [10, 12] as [number, number], unit: 'tokens' as const };
    await expect(run({ examples: [examples[0], bad] })).rejects.toThrow(/^Example 2: The needle \[10, 12\) is no span/);
  });
});
