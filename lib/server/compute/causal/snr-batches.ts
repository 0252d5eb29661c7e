import {
  answerLogprobSteps,
  bootstrapMeans,
  compare,
  drainAsync,
  requireSnrExamples,
  type SnrExample,
  type SnrSamples,
  severalTokens,
  snrSteps,
  summarise,
} from '@/lib/analysis';
import type { SnrResult, SnrTask } from '@/lib/api/analyses';
import type { ModelConfig } from '@/lib/checkpoint';
import { Random } from '@/lib/random';
import { encodeSafetensors, type WireTensor } from '@/lib/safetensors';
import { currentMetric, formerNames, intervalsOf } from '@/lib/vocabulary';
import type { PreparedSnr } from '../../prepared';
import type { AnalysisJob, AnalysisOutcome, AnalysisUpdate } from '../../protocol';
import type { Settings } from '../../settings';
import type { Catalogue } from '../models/catalogue';
import type { LoadedModels } from '../models/loaded-models';
import { tunedLensOf } from '../models/tuned-lens';
import { activationBytes } from '../runs/estimate';
import { batchExamples, batchForm, type Words } from './batch-examples';
import { BatchSteps, STOPPED } from './batch-steps';

interface Batch {
  readonly model: string;
  readonly examples: readonly SnrExample[];
}

interface Sampled {
  readonly model: string;
  readonly samples: SnrSamples;
  /** ln p of every example's whole answer; absent where all answers have one token. */
  readonly answers?: Float64Array;
  /** Examples whose answer has several tokens. */
  readonly several: number;
}

/**
 * Checks models and the form of the examples, which are read by tokenizers when the batch runs: that takes its time.
 * @throws ServiceError 404, 422; InputError.
 */
export async function prepareSnr(
  task: SnrTask,
  { catalogue, settings }: { readonly catalogue: Catalogue; readonly settings: Settings },
): Promise<PreparedSnr> {
  const { examples, longest } = batchForm(task, settings);
  let bytes = 0;
  for (const name of task.models) {
    const config = await catalogue.config(name);
    await catalogue.tokenizer(name);
    if (task.lens === 'tuned') await tunedLensOf(catalogue, { name, config });
    bytes = Math.max(bytes, bytesOf(config, examples.length, longest));
  }
  return { task, examples: examples.length, budget: { rows: 1, bytes } };
}

/** SNR per layer over a batch of prompts, with a paired test for two models. */
export class SnrBatches {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly models: LoadedModels,
    private readonly settings: Settings,
    private readonly words: Words,
  ) {}

  /**
   * Reads the examples for all models, then runs one model after the other; `cancel[0] ≠ 0` ends it before the next
   * example with the models that are finished.
   * @throws ServiceError 422; InputError where an example does not fit a model.
   */
  async run(
    { analysis: { task, examples: n }, cancel }: AnalysisJob<PreparedSnr>,
    tell: (update: AnalysisUpdate) => void,
  ): Promise<AnalysisOutcome> {
    const reading = task.models.length * n;
    const total = reading + 2 * task.models.length * n;
    const sampled: Sampled[] = [];
    const steps = new BatchSteps(reading, total, cancel, tell);
    try {
      const batches = await this.#read(task, (done) => steps.to(done));
      for (const { model, examples } of batches) {
        const start = steps.done;
        sampled.push(await this.#samples(model, examples, task, (done) => steps.to(start + done)));
        if (sampled.length < batches.length) tell({ type: 'result', result: resultOf(sampled, task) });
        await steps.to(start + 2 * examples.length);
      }
      return outcomeOf('done', sampled, task);
    } catch (error) {
      if (error !== STOPPED) throw error;
      return outcomeOf('cancelled', sampled, task);
    }
  }

  /** The examples as every model reads them, checked. */
  async #read(task: SnrTask, onStep: (done: number) => Promise<void>): Promise<Batch[]> {
    const batches: Batch[] = [];
    let done = 0;
    for (const model of task.models) {
      const start = done;
      const config = await this.catalogue.config(model);
      const examples = await batchExamples(model, task, this.words, this.settings, (k) => {
        done = start + k;
        return onStep(done);
      });
      requireSnrExamples({ name: model, config }, examples);
      batches.push({ model, examples });
    }
    return batches;
  }

  #samples(
    name: string,
    examples: readonly SnrExample[],
    { metrics, lens }: SnrTask,
    onStep: (done: number) => Promise<void>,
  ): Promise<Sampled> {
    return this.models.use(name, async (model) => {
      const translators = lens === 'tuned' ? await tunedLensOf(this.catalogue, model) : undefined;
      const steps = snrSteps(model, examples, { metrics: metrics?.map(currentMetric), translators });
      const samples = await drainAsync(steps, ({ done }) => onStep(done));
      const several = severalTokens(examples);
      if (several === 0) return { model: name, samples, several };
      const answers = await drainAsync(answerLogprobSteps(model, examples), () => onStep(2 * examples.length));
      return { model: name, samples, answers, several };
    });
  }
}

/** The residual streams of all examples at one position, and one forward pass. */
const bytesOf = (config: ModelConfig, examples: number, longest: number): number =>
  4 * (config.blocks.length + 1) * examples * config.d + activationBytes(config, longest);

function resultOf(sampled: readonly Sampled[], { lens, seed, resamples, metrics = [] }: SnrTask): SnrResult {
  const resampling = () => ({ random: new Random(seed), resamples });
  const [first, second] = sampled;
  return {
    kind: 'snr',
    lens,
    examples: first.samples.n,
    models: sampled.map(({ model, samples, answers }) => ({
      model,
      rows: summarise([samples], resampling()).map(finite),
      answer_logprob: answers && finite(bootstrapMeans([answers], resampling())[0]),
    })),
    difference: second ? compare([first.samples], [second.samples], resampling()).map(finite) : null,
    intervals: intervalsOf([1]),
    notes: [
      ...formerNames(metrics),
      ...sampled.flatMap(({ model, several, samples: { n } }) => (several > 0 ? [severalNote(model, several, n)] : [])),
    ],
  };
}

function outcomeOf(state: AnalysisOutcome['state'], sampled: readonly Sampled[], task: SnrTask): AnalysisOutcome {
  if (sampled.length === 0) return { state, result: null, tensors: null };
  const tensors: Record<string, WireTensor> = {};
  sampled.forEach(({ samples: { entries, n, values } }, m) => {
    for (const [metric, series] of values) {
      const data = new Float32Array(entries.length * n);
      series.forEach((one, entry) => {
        data.set(one, entry * n);
      });
      tensors[`snr.${m}.${metric}`] = { shape: [entries.length, n], data };
    }
  });
  return { state, result: resultOf(sampled, task), tensors: encodeSafetensors(tensors) };
}

const severalNote = (model: string, several: number, n: number) =>
  `${several} of ${n} answers have several tokens in ${model}: every metric reads the first only; answer_logprob is ln p of the whole answer, each token given those before it.`;

/** JSON has no NaN. */
function finite<T extends object>(row: T): { [K in keyof T]: T[K] extends number ? T[K] & number : T[K] } {
  const entries = Object.entries(row).map(([key, value]) => [key, Number.isNaN(value) ? null : value]);
  return Object.fromEntries(entries);
}
