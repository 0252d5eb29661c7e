import { setImmediate as turn } from 'node:timers/promises';
import {
  type AllocationRequest,
  type AllocationResult,
  allocationBatchSteps,
  allocationBudget,
  allocationResultSteps,
  allocationTensors,
  answerLogprobSteps,
  drainAsync,
  foundNote,
  type LayerReads,
  type ReadModel,
  requireAllocations,
  type SnrExample,
  severalTokens,
} from '@/lib/analysis';
import { type AllocationTask, AllocationTaskSchema } from '@/lib/api/allocation';
import type { FormerRequest } from '@/lib/api/causal';
import { InputError } from '@/lib/checkpoint';
import type { SnrLine } from '@/lib/data/snr-examples';
import { Random } from '@/lib/random';
import { encodeSafetensors } from '@/lib/safetensors';
import { examplePrompt } from '@/lib/vocabulary';
import type { PreparedAllocations } from '../../prepared';
import type { AnalysisJob, AnalysisOutcome, AnalysisUpdate } from '../../protocol';
import type { Settings } from '../../settings';
import type { Catalogue } from '../models/catalogue';
import type { LoadedModels } from '../models/loaded-models';
import type { Prompts } from '../runs/prompts';
import { batchExamples, batchForm, requireNeedles, type Words } from './batch-examples';
import { BatchSteps, STOPPED } from './batch-steps';

const MB = 2 ** 20;

/**
 * Checks models, layers and the form of the examples, which are read by tokenizers when the batch runs: that takes its time.
 * @throws ServiceError 404, 422; InputError.
 */
export async function prepareAllocations(
  allocation: AllocationTask,
  { catalogue, settings }: { readonly catalogue: Catalogue; readonly settings: Settings },
): Promise<PreparedAllocations> {
  const { examples, longest } = batchForm(allocation, settings);
  requireNeedles(examples);
  const tokens = new Array<number>(longest).fill(0);
  let budget = { rows: 1, bytes: 0 };
  for (const name of allocation.models.flat()) {
    const config = await catalogue.config(name);
    if (examples.some(hasWords)) await catalogue.tokenizer(name);
    // How long the longest one is shows when it is read; only then can it be too long for the memory.
    const request = { tokens, target: 0, needle: [0, 1] as const, layers: allocation.layers };
    const own = allocationBudget({ config, name }, { ...request, memory: Number.POSITIVE_INFINITY });
    if (own.bytes > budget.bytes) budget = own;
  }
  return { allocation, examples: examples.length, budget };
}

const FORMERLY =
  'Cancellation is now a part of allocation, which this answers: see the classes of branch_1, lambda_branch_2, removed, cosine and rejection_db. Ask for kind "allocation"; the old name goes with the next release.';

/**
 * Allocation for who asks by its former names: of one prompt, or over a batch.
 * @throws ServiceError 404, 413, 422; InputError.
 */
export async function prepareFormerly(
  request: FormerRequest,
  tools: { readonly catalogue: Catalogue; readonly prompts: Prompts; readonly settings: Settings },
): Promise<PreparedAllocations> {
  const { model, layers, memory_mb } = request;
  const common = { kind: 'allocation', models: [model], layers, memory_mb } as const;
  const task = AllocationTaskSchema.parse(
    request.kind === 'cancellation_batch'
      ? { ...common, examples: request.examples, resamples: request.resamples, seed: request.seed }
      : { ...common, examples: [await exampleOf(request, tools)] },
  );
  return { ...(await prepareAllocations(task, tools)), note: FORMERLY };
}

async function exampleOf(
  { model, prompt, target, foil, needle, position }: Extract<FormerRequest, { kind: 'cancellation' }>,
  { prompts }: { readonly prompts: Prompts },
) {
  const tokens = await prompts.ids(model, prompt);
  const at = position < 0 ? tokens.length + position : position;
  if (at < 0 || at >= tokens.length)
    throw new InputError(`The prompt has no token ${position}: it has ${tokens.length} tokens.`);
  return {
    tokens,
    unit: 'tokens' as const,
    target: await prompts.answer(model, target),
    foil: foil === undefined ? undefined : await prompts.answer(model, foil),
    needle,
    position: at,
  };
}

const severalNote = (model: string, several: number, n: number) =>
  `${several} of ${n} answers have several tokens in ${model}: what is said in logits is of the first only; answer_logprob is ln p of the whole answer, each token given those before it.`;

/** One prompt as a model reads it: what is asked, and whether what competes was found. */
type Asked = AllocationRequest & Pick<SnrExample, 'answer' | 'found'>;

const hasWords = ({ line }: SnrLine): boolean =>
  examplePrompt(line) !== undefined ||
  [line.target, line.answer, line.foil, ...(line.candidates ?? [])].some((word) => typeof word === 'string');

/** Allocation over a batch of prompts, of one model or of several on the same prompts. */
export class AllocationBatches {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly models: LoadedModels,
    private readonly settings: Settings,
    private readonly words: Words,
  ) {}

  /**
   * Reads the examples for all models, then runs one model after the other, layer by layer; `cancel[0] ≠ 0` ends it before the
   * next layer with the models that are finished, or with the finished prompts of the first one. Memory: that of one prompt,
   * and a few hundred numbers a prompt and layer.
   * @throws ServiceError 422; InputError where an example does not fit a model.
   */
  async run(
    { analysis: { allocation: task, examples: n, note: former }, cancel }: AnalysisJob<PreparedAllocations>,
    tell: (update: AnalysisUpdate) => void,
  ): Promise<AnalysisOutcome> {
    const names = task.models.flat();
    const depths = await Promise.all(names.map((name) => this.#depthOf(name, task)));
    const reading = names.length * n;
    const total = reading + n * depths.reduce((sum, depth) => sum + depth, 0);
    const steps = new BatchSteps(reading, total, cancel, tell);
    const notes = former ? [former] : [];
    const found: ReadModel[] = [];
    let partial: readonly (readonly LayerReads[])[] = [];
    const noteOf = () => notes.join(' ') || undefined;
    try {
      const batches = new Map<string, Asked[]>();
      for (const name of names) {
        const start = steps.done;
        const read = await this.#read(name, task, (k) => steps.to(start + k));
        if (batches.has(name)) continue;
        batches.set(name, read);
        const several = severalTokens(read);
        if (several > 0) notes.push(severalNote(name, several, read.length));
        const guessed = read.filter((one) => one.found).length;
        if (guessed > 0) notes.push(foundNote(name, guessed, read.length));
      }
      const isScored = (name: string) => severalTokens(batches.get(name) as Asked[]) > 0;
      steps.add(n * names.filter(isScored).length);
      for (const group of task.models) {
        const own = [group].flat();
        const reads: (readonly LayerReads[])[][] = [];
        const answers: Float64Array[][] = [];
        for (const name of own) {
          const requests = batches.get(name) as Asked[];
          await this.models.use(name, async (model) => {
            const start = steps.done;
            const read = await drainAsync(allocationBatchSteps(model, requests), async (step) => {
              if (found.length + reads.length === 0) partial = step.result;
              await steps.to(start + step.done);
            });
            const scored = steps.done;
            if (isScored(name))
              answers.push([
                await drainAsync(answerLogprobSteps(model, requests), ({ done }) => steps.to(scored + done)),
              ]);
            reads.push(read);
          });
        }
        found.push({ names: own, reads, ...(answers.length === own.length && { answers }) });
        if (found.length < task.models.length)
          tell({ type: 'result', result: { kind: 'allocation', note: noteOf(), ...(await resultOf(found, task)) } });
      }
      return await outcomeOf('done', found, task, noteOf());
    } catch (error) {
      if (error !== STOPPED) throw error;
      const first: ReadModel[] = partial.length > 0 ? [{ names: names.slice(0, 1), reads: [partial] }] : [];
      return outcomeOf('cancelled', found.length > 0 ? found : first, task, noteOf());
    }
  }

  async #depthOf(name: string, { layers }: AllocationTask): Promise<number> {
    return layers ? new Set(layers).size : (await this.catalogue.config(name)).blocks.length;
  }

  /** The examples as one model reads them, checked. */
  async #read(name: string, task: AllocationTask, onExample: (done: number) => Promise<void>): Promise<Asked[]> {
    const common = { layers: task.layers, memory: Math.min(task.memory_mb * MB, this.settings.runBytes) };
    const read = await batchExamples(name, task, this.words, this.settings, onExample);
    const requests = read.map((example) => ({ ...example, ...common }) as Asked);
    requireAllocations({ name, config: await this.catalogue.config(name) }, requests);
    return requests;
  }
}

/** Turns the event loop between layers: every one is a bootstrap. */
function resultOf(found: readonly ReadModel[], { seed, resamples }: AllocationTask): Promise<AllocationResult> {
  const resampling = () => ({ prompts: new Random(seed), seeds: new Random(seed + 1), resamples });
  return drainAsync(allocationResultSteps(found, resampling), () => turn());
}

async function outcomeOf(
  state: AnalysisOutcome['state'],
  found: readonly ReadModel[],
  task: AllocationTask,
  note?: string,
): Promise<AnalysisOutcome> {
  if (found.length === 0) return { state, result: null, tensors: null };
  const result = await resultOf(found, task);
  return {
    state,
    result: { kind: 'allocation', note, ...result },
    tensors: encodeSafetensors(allocationTensors(result)),
  };
}
