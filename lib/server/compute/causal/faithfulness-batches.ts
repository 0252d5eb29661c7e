import {
  type CurvesByOrder,
  drainAsync,
  type FaithfulnessRequest,
  faithfulnessBudget,
  faithfulnessSteps,
  summariseFaithfulness,
} from '@/lib/analysis';
import type { FaithfulnessResult, FaithfulnessTask } from '@/lib/api/faithfulness';
import { InputError, type OutputTensor } from '@/lib/checkpoint';
import { Random } from '@/lib/random';
import { encodeSafetensors } from '@/lib/safetensors';
import { intervalsOf } from '@/lib/vocabulary';
import type { PreparedFaithfulness } from '../../prepared';
import type { AnalysisJob, AnalysisOutcome, AnalysisUpdate } from '../../protocol';
import type { Settings } from '../../settings';
import type { Catalogue } from '../models/catalogue';
import type { LoadedModels } from '../models/loaded-models';
import { batchExamples, batchForm, type Words } from './batch-examples';
import { BatchSteps, STOPPED } from './batch-steps';

const MB = 2 ** 20;
/** Steps of an example beside the one that reads it. */
const STEPS = 20;

interface Found {
  readonly model: string;
  readonly curves: readonly CurvesByOrder[];
}

const optionsOf = ({ orders, watch, points, draws }: FaithfulnessTask) => ({ orders, watch, points, draws });

/**
 * Checks models and the form of the examples, which are read by tokenizers when the batch runs.
 * @throws ServiceError 404, 422; InputError.
 */
export async function prepareFaithfulness(
  task: FaithfulnessTask,
  { catalogue, settings }: { readonly catalogue: Catalogue; readonly settings: Settings },
): Promise<PreparedFaithfulness> {
  const { examples, longest } = batchForm(task, settings);
  // A prompt of one token has no source to remove: that is said when it is read.
  const tokens = new Array<number>(Math.max(2, longest)).fill(0);
  let budget = { rows: 1, bytes: 0 };
  for (const name of task.models) {
    const config = await catalogue.config(name);
    await catalogue.tokenizer(name);
    const request = { tokens, target: 0, ...optionsOf(task), memory: Number.POSITIVE_INFINITY };
    const own = faithfulnessBudget({ config, name }, request);
    if (own.bytes > budget.bytes) budget = own;
  }
  // How much is done at a time depends on the limit, and how long the longest one is shows when it is read.
  const limit = Math.min(task.memory_mb * MB, settings.runBytes);
  return { faithfulness: task, examples: examples.length, budget: { ...budget, bytes: Math.min(budget.bytes, limit) } };
}

/** Deletion and insertion curves over a batch of prompts, of one model after the other. */
export class FaithfulnessBatches {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly models: LoadedModels,
    private readonly settings: Settings,
    private readonly words: Words,
  ) {}

  /**
   * Reads the examples for all models, then removes and gives back their sources; `cancel[0] ≠ 0` ends it before the next block
   * with the models that are finished, or with the finished prompts of the first one.
   * @throws ServiceError 422; InputError where an example does not fit a model.
   */
  async run(
    { analysis: { faithfulness: task, examples: n }, cancel }: AnalysisJob<PreparedFaithfulness>,
    tell: (update: AnalysisUpdate) => void,
  ): Promise<AnalysisOutcome> {
    const reading = task.models.length * n;
    const steps = new BatchSteps(reading, reading * (1 + STEPS), cancel, tell);
    const found: Found[] = [];
    let own: CurvesByOrder[] = [];
    try {
      const batches = new Map<string, FaithfulnessRequest[]>();
      for (const name of task.models) {
        const start = steps.done;
        batches.set(name, await this.#read(name, task, (k) => steps.to(start + k)));
      }
      for (const name of task.models) {
        own = [];
        const random = new Random(task.seed);
        await this.models.use(name, async (model) => {
          for (const request of batches.get(name) as FaithfulnessRequest[]) {
            const start = steps.done;
            const curves = faithfulnessSteps(model, request, random);
            const made = await drainAsync(curves, ({ done, total }) =>
              steps.to(Math.max(steps.done, start + Math.floor((STEPS * done) / (total + 1)))),
            );
            own.push(made);
            await steps.to(start + STEPS);
          }
        });
        found.push({ model: name, curves: own });
        if (found.length < task.models.length) tell({ type: 'result', result: resultOf(found, task) });
      }
      return outcomeOf('done', found, task);
    } catch (error) {
      if (error !== STOPPED) throw error;
      const first = own.length > 0 ? [{ model: task.models[0], curves: own }] : [];
      return outcomeOf('cancelled', found.length > 0 ? found : first, task);
    }
  }

  /** The examples as one model reads them, checked. */
  async #read(
    name: string,
    task: FaithfulnessTask,
    onExample: (done: number) => Promise<void>,
  ): Promise<FaithfulnessRequest[]> {
    const common = { ...optionsOf(task), memory: Math.min(task.memory_mb * MB, this.settings.runBytes) };
    const examples = await batchExamples(name, task, this.words, this.settings, onExample);
    const model = { name, config: await this.catalogue.config(name) };
    return examples.map((example, k) => {
      const request = { ...example, ...common };
      try {
        faithfulnessBudget(model, request);
      } catch (error) {
        if (error instanceof InputError && examples.length > 1)
          throw new InputError(`Example ${k + 1}: ${error.message}`);
        throw error;
      }
      return request;
    });
  }
}

function resultOf(found: readonly Found[], { watch, points, seed, resamples }: FaithfulnessTask): FaithfulnessResult {
  const prompts = found[0].curves.length;
  return {
    kind: 'faithfulness',
    examples: prompts,
    watch,
    points,
    intervals: prompts > 1 ? intervalsOf([1]) : undefined,
    models: found.map(({ model, curves }) => ({
      model,
      orders: summariseFaithfulness(
        curves,
        prompts > 1 ? { random: new Random(seed + 1), resamples } : undefined,
      ) as FaithfulnessResult['models'][number]['orders'],
    })),
  };
}

function outcomeOf(state: AnalysisOutcome['state'], found: readonly Found[], task: FaithfulnessTask): AnalysisOutcome {
  if (found.length === 0) return { state, result: null, tensors: null };
  const result = resultOf(found, task);
  const tensors = result.models.flatMap(({ orders }, model) =>
    orders.flatMap(({ order, deletion, insertion, frozen_norms: frozen }) => {
      const named = {
        deletion,
        insertion,
        'frozen_norms.deletion': frozen.deletion,
        'frozen_norms.insertion': frozen.insertion,
      };
      return Object.entries(named).map(
        ([name, values]): OutputTensor => ({
          name: `${model}.${order}.${name}`,
          shape: [values.length],
          data: Float32Array.from(values),
        }),
      );
    }),
  );
  return { state, result, tensors: encodeSafetensors(tensors) };
}
