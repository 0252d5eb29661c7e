import { withNeedles } from '@/lib/analysis';
import type { CancellationBatchRequest } from '@/lib/api/causal';
import { isDifferential, type ModelConfig } from '@/lib/checkpoint';
import type { PreparedCancellations } from '../../prepared';
import type { AnalysisJob, AnalysisOutcome, AnalysisUpdate } from '../../protocol';
import type { Settings } from '../../settings';
import type { Catalogue } from '../models/catalogue';
import type { LoadedModels } from '../models/loaded-models';
import { batchExamples, batchForm, requireNeedles, type Words } from './batch-examples';
import { BatchSteps, STOPPED } from './batch-steps';
import { runSteps } from './causal';
import { testBudget } from './causal-tests';

const MB = 2 ** 20;

/**
 * Checks model, layers and the form of the examples, which the tokenizer reads when the batch runs: that takes its time.
 * @throws ServiceError 404, 422; InputError.
 */
export async function prepareCancellations(
  batch: CancellationBatchRequest,
  { catalogue, settings }: { readonly catalogue: Catalogue; readonly settings: Settings },
): Promise<PreparedCancellations> {
  const { model, layers } = batch;
  const { examples, longest } = batchForm(batch, settings);
  requireNeedles(examples);
  const config = await catalogue.config(model);
  await catalogue.tokenizer(model);
  const tokens = new Array<number>(longest).fill(0);
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
    const steps = new BatchSteps(n, total, cancel, tell);
    const { kind, layers, resamples, seed } = batch;
    const memory = Math.min(batch.memory_mb * MB, this.settings.runBytes);
    try {
      const examples = withNeedles(
        await batchExamples(model, batch, this.words, this.settings, (done) => steps.to(done)),
      );
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
