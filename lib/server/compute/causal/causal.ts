import { setImmediate as turn } from 'node:timers/promises';
import type { Reference } from '@/lib/analysis';
import type { CausalRequest } from '@/lib/api/causal';
import { demoPrompts } from '@/lib/data/demo-stories';
import type { Model } from '@/lib/models';
import { encodeSafetensors } from '@/lib/safetensors';
import type { PreparedTest } from '../../prepared';
import type { AnalysisJob, AnalysisOutcome, AnalysisUpdate } from '../../protocol';
import type { Settings } from '../../settings';
import type { Catalogue } from '../models/catalogue';
import type { LoadedModels } from '../models/loaded-models';
import { Forecast } from '../runs/estimate';
import type { Prompts } from '../runs/prompts';
import { type CausalTest, type TestStep, testBudget, testSteps } from './causal-tests';

const MB = 2 ** 20;

/** A result is told after at least this share of the work, so that large ones do not pile up. */
const SHARE_TOLD = 0.01;

/** What is asked of one prompt. */
export type PromptTest = Exclude<CausalRequest, { kind: 'cancellation' | 'cancellation_batch' }>;

interface Tools {
  readonly catalogue: Catalogue;
  readonly prompts: Prompts;
  readonly settings: Settings;
}

/**
 * Turns the words of a test into token ids and checks the request against the model, memory included. Touches no weights.
 * @throws ServiceError 404, 413, 422; InputError.
 */
export async function prepareTest(request: PromptTest, tools: Tools): Promise<PreparedTest> {
  const { model } = request;
  const config = await tools.catalogue.config(model);
  const test = await testOf(request, tools);
  const { target, foil } = request;
  const note = await tools.prompts.firstTokensOf(model, { target, foil });
  return { model, test, note, budget: testBudget({ config, name: model }, test) };
}

async function testOf(request: PromptTest, { prompts, settings }: Tools): Promise<CausalTest> {
  const { model, foil, position, memory_mb } = request;
  const layers = 'layers' in request ? request.layers : undefined;
  const read = (prompt: string | readonly number[]) => prompts.ids(model, prompt);
  const answer = (token: string | number) => prompts.answer(model, token);
  const common = {
    layers,
    position,
    memory: Math.min(memory_mb * MB, settings.runBytes),
    target: await answer(request.target),
    foil: foil === undefined ? undefined : await answer(foil),
  };
  const candidatesOf = (list?: readonly (string | number)[]) => list && Promise.all(list.map(answer));
  const knockoutOf = async ({
    prompt,
    spans,
    classes,
    window,
    queries,
    reads,
    mixer,
    together,
  }: Extract<PromptTest, { kind: 'knockout' | 'knockout_attribution' }>) => {
    const tokens = await read(prompt);
    return { ...common, tokens, spans, classes, window, queries, reads, mixer, together };
  };
  const ablationOf = async (asked: Extract<PromptTest, { kind: 'ablate' | 'ablate_attribution' }>) => {
    const { unit, method, seed, mixer, spans, classes, window } = asked;
    const reference = await referenceOf(asked, read);
    const [tokens, candidates] = [await read(asked.prompt), await candidatesOf(asked.candidates)];
    return { ...common, tokens, candidates, unit, mixer, spans, classes, window, method, reference, seed };
  };
  switch (request.kind) {
    case 'patch': {
      const { kind, point, direction, spans, classes, window, align, mixer, channels, heads } = request;
      const [clean, corrupted] = [await read(request.clean), await read(request.corrupted)];
      return {
        kind,
        request: {
          ...common,
          clean,
          corrupted,
          point,
          direction,
          spans,
          classes,
          window,
          align,
          mixer,
          channels,
          heads,
        },
      };
    }
    case 'patch_attribution': {
      const { kind, points, direction, metric, steps, spans, classes, window, align, check } = request;
      const [clean, corrupted] = [await read(request.clean), await read(request.corrupted)];
      const pair = { clean, corrupted, spans, classes, window, align };
      return { kind, request: { ...common, ...pair, points, direction, metric, steps, check } };
    }
    case 'knockout':
      return { kind: 'knockout', request: await knockoutOf(request) };
    case 'knockout_attribution':
      return { kind: 'knockout_attribution', request: { ...(await knockoutOf(request)), check: request.check } };
    case 'ablate':
      return { kind: 'ablate', request: await ablationOf(request) };
    case 'ablate_attribution':
      return { kind: 'ablate_attribution', request: { ...(await ablationOf(request)), check: request.check } };
    case 'lambda': {
      const { kind, values, relative, classes, together } = request;
      const [tokens, candidates] = [await read(request.prompt), await candidatesOf(request.candidates)];
      return { kind, request: { ...common, tokens, candidates, values, relative, classes, together } };
    }
    case 'intervene': {
      const { kind, lambdas, removed, method } = request;
      const reference = await referenceOf(request, read);
      const [tokens, candidates] = [await read(request.prompt), await candidatesOf(request.candidates)];
      return { kind, request: { ...common, tokens, candidates, lambdas, removed, method, reference } };
    }
  }
}

/** The prompts of a reference as token ids. */
async function referenceOf(
  { reference, seed = 0 }: Pick<Extract<PromptTest, { kind: 'intervene' }>, 'reference' | 'seed'>,
  read: (prompt: string | readonly number[]) => Promise<number[]>,
): Promise<Reference | undefined> {
  if (reference === undefined || reference === 'self') return reference;
  return Promise.all((typeof reference === 'string' ? demoPrompts(reference, seed) : reference).map(read));
}

/**
 * Patching, knock-out, ablation, overrides of λ and interventions over text, to the end; the event loop turns
 * between two steps, where `cancel[0] ≠ 0` ends it with what is finished.
 */
export const runTest = (
  { analysis: { model, test }, cancel }: AnalysisJob<PreparedTest>,
  models: LoadedModels,
  tell: (update: AnalysisUpdate) => void,
): Promise<AnalysisOutcome> => models.use(model, (loaded) => runSteps(loaded, test, cancel, tell));

/**
 * Runs a test to its end; the event loop turns between two steps, where `cancel[0] ≠ 0` ends it with what is finished.
 * @param before steps that were taken before its own
 */
export async function runSteps(
  model: Model,
  test: CausalTest,
  cancel: Int32Array,
  tell: (update: AnalysisUpdate) => void,
  before = 0,
): Promise<AnalysisOutcome> {
  const forecast = new Forecast(1);
  let last: TestStep | undefined;
  let told = { done: 0, finished: 0 };
  const outcome = (state: AnalysisOutcome['state']): AnalysisOutcome => ({
    state,
    result: last?.json() ?? null,
    tensors: last ? bodyOf(last) : null,
  });
  for (const step of testSteps(model, test)) {
    const { done, total, finished } = step;
    forecast.add((done - (last?.done ?? 0)) / total);
    tell({
      type: 'progress',
      progress: { done: before + done, total: before + total, secondsLeft: forecast.secondsLeft },
    });
    last = step;
    if (finished > told.finished && done - told.done >= SHARE_TOLD * total) {
      tell({ type: 'result', result: step.json() });
      told = { done, finished };
    }
    await turn();
    if (done < total && Atomics.load(cancel, 0) !== 0) return outcome('cancelled');
  }
  return outcome('done');
}

const bodyOf = (step: TestStep) => encodeSafetensors(step.tensors());
