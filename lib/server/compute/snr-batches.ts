import { setImmediate as turn } from 'node:timers/promises';
import {
  compare,
  drainAsync,
  requireSnrExamples,
  type SnrExample,
  type SnrSamples,
  snrSteps,
  summarise,
} from '@/lib/analysis';
import type { SnrResult, SnrTask } from '@/lib/api/analyses';
import { encodeSafetensors, type WireTensor } from '@/lib/api/safetensors';
import type { ModelConfig } from '@/lib/checkpoint';
import { Random } from '@/lib/data/random';
import type { AnalysisJob, AnalysisOutcome, AnalysisUpdate, PreparedSnr } from '../protocol';
import type { Settings } from '../settings';
import { batchExamples } from './batch-examples';
import type { Catalogue } from './catalogue';
import { activationBytes, Forecast } from './estimate';
import type { LoadedModels } from './loaded-models';
import { tunedLensOf } from './tuned-lens';

/** Ends a batch that somebody has cancelled. */
const STOPPED = new Error('The batch was cancelled.');

interface Sampled {
  readonly model: string;
  readonly samples: SnrSamples;
}

/** SNR per layer over a batch of prompts, with a paired test for two models. */
export class SnrBatches {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly models: LoadedModels,
    private readonly settings: Settings,
  ) {}

  /**
   * Reads the examples with the tokenizer of every model and checks them. Touches no weights.
   * @throws ServiceError 404, 422; InputError.
   */
  async prepare({ examples, ...task }: SnrTask): Promise<PreparedSnr> {
    const batches: PreparedSnr['batches'][number][] = [];
    let bytes = 0;
    for (const name of task.models) {
      const config = await this.catalogue.config(name);
      const read = await batchExamples(name, { examples, seed: task.seed }, this.catalogue, this.settings);
      requireSnrExamples({ name, config }, read);
      if (task.lens === 'tuned') await tunedLensOf(this.catalogue, { name, config });
      batches.push({ model: name, examples: read });
      bytes = Math.max(bytes, bytesOf(config, read));
    }
    return { task, batches, budget: { rows: 1, bytes } };
  }

  /** Runs one model after the other; `cancel[0] ≠ 0` ends it before the next example with the models that are finished. */
  async run(
    { analysis: { task, batches }, cancel }: AnalysisJob<PreparedSnr>,
    tell: (update: AnalysisUpdate) => void,
  ): Promise<AnalysisOutcome> {
    const total = batches.reduce((sum, { examples }) => sum + 2 * examples.length, 0);
    const forecast = new Forecast(total);
    const sampled: Sampled[] = [];
    let done = 0;
    const onStep = async (steps: number) => {
      forecast.add(steps - done);
      done = steps;
      tell({ type: 'progress', progress: { done, total, secondsLeft: forecast.secondsLeft } });
      await turn();
      if (done < total && Atomics.load(cancel, 0) !== 0) throw STOPPED;
    };
    try {
      for (const { model, examples } of batches) {
        const start = done;
        const samples = await this.#samples(model, examples, task, (steps) => onStep(start + steps));
        sampled.push({ model, samples });
        if (sampled.length < batches.length) tell({ type: 'result', result: resultOf(sampled, task) });
        await onStep(start + 2 * examples.length);
      }
      return outcomeOf('done', sampled, task);
    } catch (error) {
      if (error !== STOPPED) throw error;
      return outcomeOf('cancelled', sampled, task);
    }
  }

  #samples(
    name: string,
    examples: readonly SnrExample[],
    { metrics, lens }: PreparedSnr['task'],
    onStep: (done: number) => Promise<void>,
  ): Promise<SnrSamples> {
    return this.models.use(name, async (model) => {
      const translators = lens === 'tuned' ? await tunedLensOf(this.catalogue, model) : undefined;
      return drainAsync(snrSteps(model, examples, { metrics, translators }), ({ done }) => onStep(done));
    });
  }
}

/** The residual streams of all examples at one position, and one forward pass. */
function bytesOf(config: ModelConfig, examples: readonly SnrExample[]): number {
  const longest = Math.max(...examples.map(({ tokens }) => tokens.length));
  return 4 * (config.blocks.length + 1) * examples.length * config.d + activationBytes(config, longest);
}

function resultOf(sampled: readonly Sampled[], { lens, seed, resamples }: PreparedSnr['task']): SnrResult {
  const resampling = () => ({ random: new Random(seed), resamples });
  const [first, second] = sampled;
  return {
    ...{ kind: 'snr', lens, examples: first.samples.n },
    models: sampled.map(({ model, samples }) => ({ model, rows: summarise(samples, resampling()).map(finite) })),
    difference: second ? compare(first.samples, second.samples, resampling()).map(finite) : null,
  };
}

function outcomeOf(
  state: AnalysisOutcome['state'],
  sampled: readonly Sampled[],
  task: PreparedSnr['task'],
): AnalysisOutcome {
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

/** JSON has no NaN. */
function finite<T extends object>(row: T): { [K in keyof T]: T[K] extends number ? T[K] & number : T[K] } {
  const entries = Object.entries(row).map(([key, value]) => [key, Number.isNaN(value) ? null : value]);
  return Object.fromEntries(entries);
}
