import { setImmediate as turn } from 'node:timers/promises';
import { withNeedles } from '@/lib/analysis';
import type { CancellationBatchRequest } from '@/lib/api/causal';
import { InputError, isDifferential, type ModelConfig } from '@/lib/checkpoint';
import { snrLines } from '@/lib/data/snr-examples';
import type { PreparedCancellations } from '../../prepared';
import type { AnalysisJob, AnalysisOutcome, AnalysisUpdate } from '../../protocol';
import type { Settings } from '../../settings';
import type { Catalogue } from '../models/catalogue';
import type { LoadedModels } from '../models/loaded-models';
import { batchExamples, batchLines, mostTokens, type Words } from './batch-examples';
import { runSteps } from './causal';
import { testBudget } from './causal-tests';

const MB = 2 ** 20;

/** Ends a batch that somebody has cancelled while its examples were read. */
const STOPPED = new Error('The batch was cancelled.');

/**
 * Checks model, layers and the form of the examples, which the tokenizer reads when the batch runs: that takes its time.
 * @throws ServiceError 404, 422; InputError.
 */
export async function prepareCancellations(
  batch: CancellationBatchRequest,
  { catalogue, settings }: { readonly catalogue: Catalogue; readonly settings: Settings },
): Promise<PreparedCancellations> {
  const { model, layers } = batch;
  const { lines, source } = batchLines(batch);
  const examples = snrLines(lines, source);
  const bare = examples.findIndex(({ line }) => !line.needle);
  if (bare >= 0) throw new InputError(`Example ${bare + 1} has no needle: name the tokens that hold its answer.`);
  const config = await catalogue.config(model);
  await catalogue.tokenizer(model);
  const longest = Math.max(...examples.map(({ line }) => mostTokens(line)));
  const tokens = new Array<number>(Math.min(longest, settings.maxTokens)).fill(0);
  // How long the longest one is shows when it is read; only then can it be too long for the memory.
  const longestOne = { tokens, target: 0, needle: [0, 1] as const, layers, memory: Number.POSITIVE_INFINITY };
  const budget = testBudget({ config, name: model }, { kind: 'cancellation', request: longestOne });
  return { model, batch, examples: examples.length, budget };
}

/** Cancellation over a batch of prompts. */
export class CancellationBatches {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly models: LoadedModels,
    private readonly settings: Settings,
    private readonly words: Words,
  ) {}

  /**
   * Reads the examples, then runs them; `cancel[0] ≠ 0` ends it before the next step with what is finished.
   * @throws ServiceError 422; InputError where an example does not fit the model.
   */
  async run(
    { analysis: { model, batch, examples: n }, cancel }: AnalysisJob<PreparedCancellations>,
    tell: (update: AnalysisUpdate) => void,
  ): Promise<AnalysisOutcome> {
    const total = n * (1 + layersOf(await this.catalogue.config(model), batch));
    const onExample = async (done: number) => {
      tell({ type: 'progress', progress: { done, total, secondsLeft: null } });
      await turn();
      if (Atomics.load(cancel, 0) !== 0) throw STOPPED;
    };
    const { kind, layers, resamples, seed } = batch;
    const memory = Math.min(batch.memory_mb * MB, this.settings.runBytes);
    try {
      const examples = withNeedles(await batchExamples(model, batch, this.words, this.settings, onExample));
      const test = { kind, request: { examples, layers, memory, resamples, seed } };
      testBudget({ config: await this.catalogue.config(model), name: model }, test);
      return await this.models.use(model, (loaded) => runSteps(loaded, test, cancel, tell, n));
    } catch (error) {
      if (error !== STOPPED) throw error;
      return { state: 'cancelled', result: null, tensors: null };
    }
  }
}

const layersOf = ({ blocks }: ModelConfig, { layers }: CancellationBatchRequest): number =>
  layers ? new Set(layers).size : blocks.filter(isDifferential).length;
