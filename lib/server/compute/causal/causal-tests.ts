import {
  type Ablation,
  type AblationAttribution,
  type AblationRequest,
  ablationAttributionBudget,
  ablationAttributionJson,
  ablationAttributionTensors,
  ablationBudget,
  ablationJson,
  ablationSteps,
  attributionBudget,
  attributionJson,
  attributionTensors,
  type Budget,
  type CheckedAttribution,
  checkedAblationSteps,
  checkedAttributionSteps,
  checkedKnockoutSteps,
  type Intervention,
  type InterventionRequest,
  interventionBudget,
  interventionJson,
  interventionSteps,
  interventionTensors,
  type KnockoutAttribution,
  type KnockoutGrid,
  type KnockoutRequest,
  knockoutAttributionBudget,
  knockoutAttributionJson,
  knockoutAttributionTensors,
  knockoutBudget,
  knockoutJson,
  knockoutSteps,
  knockoutTensors,
  type LambdaOverride,
  type LambdaRequest,
  lambdaBudget,
  lambdaJson,
  lambdaSteps,
  type Outline,
  type PatchAttributionRequest,
  type PatchGrid,
  type PatchRequest,
  type Progress,
  patchBudget,
  patchJson,
  patchSteps,
  patchTensors,
  readingTensors,
  through,
} from '@/lib/analysis';
import type { AnalysisResult } from '@/lib/api/causal';
import type { OutputTensor } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';

interface Requests {
  patch: PatchRequest;
  patch_attribution: PatchAttributionRequest & { readonly check: number };
  knockout: KnockoutRequest;
  knockout_attribution: KnockoutRequest & { readonly check: number };
  ablate: AblationRequest;
  ablate_attribution: AblationRequest & { readonly check: number };
  lambda: LambdaRequest;
  intervene: InterventionRequest;
}

interface Results {
  patch: PatchGrid;
  patch_attribution: CheckedAttribution;
  knockout: KnockoutGrid;
  knockout_attribution: KnockoutAttribution;
  ablate: Ablation;
  ablate_attribution: AblationAttribution;
  lambda: LambdaOverride;
  intervene: Intervention;
}

type Kind = keyof Requests;

/** A causal test as the analyses take it: token ids instead of words. */
export type CausalTest = { [K in Kind]: { readonly kind: K; readonly request: Requests[K] } }[Kind];

interface Method<Request, Result> {
  budget(model: Outline, request: Request): Budget;
  steps(model: Model, request: Request): Generator<Progress<Result>, Result, void>;
  json(result: Result): object;
  tensors(result: Result): OutputTensor[];
  /** Runs of the model that are finished. */
  finished(result: Result): number;
}

const computed = (values: Float64Array): number =>
  values.reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : 1), 0);

const METHODS: { [K in Kind]: Method<Requests[K], Results[K]> } = {
  patch: {
    budget: patchBudget,
    steps: patchSteps,
    json: patchJson,
    tensors: patchTensors,
    finished: ({ patched }) => computed(patched),
  },
  patch_attribution: {
    budget: attributionBudget,
    steps: (model, { check, ...request }) => checkedAttributionSteps(model, request, check),
    json: attributionJson,
    tensors: attributionTensors,
    finished: ({ points, agreement }) =>
      agreement.length + points.reduce((sum, { patched }) => sum + computed(patched), 0),
  },
  knockout: {
    budget: knockoutBudget,
    steps: knockoutSteps,
    json: knockoutJson,
    tensors: knockoutTensors,
    finished: ({ without }) => computed(without),
  },
  knockout_attribution: {
    budget: knockoutAttributionBudget,
    steps: (model, { check, ...request }) => checkedKnockoutSteps(model, request, check),
    json: knockoutAttributionJson,
    tensors: knockoutAttributionTensors,
    finished: ({ without, agreement }) => agreement.length + computed(without),
  },
  ablate: {
    budget: ablationBudget,
    steps: ablationSteps,
    json: ablationJson,
    tensors: ({ components }) => readingTensors(components),
    finished: ({ components }) => components.length,
  },
  ablate_attribution: {
    budget: ablationAttributionBudget,
    steps: (model, { check, ...request }) => checkedAblationSteps(model, request, check),
    json: ablationAttributionJson,
    tensors: ablationAttributionTensors,
    finished: ({ components, agreement }) => agreement.length + components.length,
  },
  lambda: {
    budget: lambdaBudget,
    steps: lambdaSteps,
    json: lambdaJson,
    tensors: ({ runs }) => readingTensors(runs),
    finished: ({ runs }) => runs.length,
  },
  intervene: {
    budget: interventionBudget,
    steps: interventionSteps,
    json: interventionJson,
    tensors: interventionTensors,
    finished: ({ layers }) => layers.length,
  },
};

/** A causal test after one of its steps. */
export interface TestStep {
  readonly done: number;
  readonly total: number;
  /** Runs of the model that are finished; grows when the result does. */
  readonly finished: number;
  json(): AnalysisResult;
  tensors(): OutputTensor[];
}

/** @throws InputError where the request does not fit the model. */
export const testBudget = <K extends Kind>(
  model: Outline,
  { kind, request }: { readonly kind: K; readonly request: Requests[K] },
): Budget => METHODS[kind].budget(model, request);

/** Runs a causal test step by step; stop early with `return()`. @throws InputError where the request does not fit. */
export function* testSteps<K extends Kind>(
  model: Model,
  { kind, request }: { readonly kind: K; readonly request: Requests[K] },
): Generator<TestStep, void, void> {
  const method = METHODS[kind];
  const of = (result: Results[K], done: number, total: number): TestStep => ({
    done,
    total,
    finished: method.finished(result),
    json: () => ({ kind, ...method.json(result) }) as unknown as AnalysisResult,
    tensors: () => method.tensors(result),
  });
  const steps = method.steps(model, request);
  let total = 0;
  const last = yield* through(steps, (step) => {
    total = step.total;
    return of(step.result, step.done, total);
  });
  yield of(last, total, total);
}
