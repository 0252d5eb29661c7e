import { z } from 'zod';
import {
  answerLogprob,
  compare,
  type Resampling,
  readTunedLens,
  type SnrSamples,
  seededMeans,
  snrOf,
  summarise,
} from '@/lib/analysis';
import { Random } from '@/lib/random';
import { intervalsOf, SIGNAL_METRICS, type SignalMetric } from '@/lib/vocabulary';
import { SWEEP_OPTIONS } from '@/lib/vocabulary/sweep-options';
import type { SweepKind } from '../kind';
import { batchItem, batchItems, batchLabel, batchShape, bySource, nameOf } from './batch';

const schema = z
  .object({
    ...batchShape,
    ...SWEEP_OPTIONS.snr,
    /** Folder of a tuned lens by name of model; those that are not named are read through the logit lens. */
    tuned: z.record(z.string(), z.string()).optional(),
  })
  .strict();
type Request = z.infer<typeof schema>;

interface Result {
  readonly entries: readonly string[];
  /** One value an entry. */
  readonly values: Partial<Record<SignalMetric, readonly number[]>>;
  /** ln p of an answer of several tokens. */
  readonly answer?: number;
}

/** Signal to noise per layer: an item is a prompt of a model (`statescope snr`). */
export const snrKind: SweepKind<Request, Result> = {
  name: 'snr',
  schema: schema as z.ZodType<Request>,
  items: batchItems,
  label: batchLabel,
  async run(request, item, bench) {
    const { model, source, example } = batchItem(request, item);
    const opened = await bench.model(model, request.weights);
    const one = (await bench.examples(source, opened, model))[example];
    const folder = request.tuned?.[model.name];
    const translators = folder ? await readTunedLens(folder, opened.checkpoint.config.d) : undefined;
    const { entries, values } = snrOf(opened.model, [one], { metrics: request.metrics, translators });
    const { tokens, position = tokens.length - 1, answer = [] } = one;
    return {
      entries,
      values: Object.fromEntries([...values].map(([metric, series]) => [metric, series.map(([value]) => value)])),
      ...(answer.length > 1 && { answer: answerLogprob(opened.model, tokens.slice(0, position + 1), answer) }),
    };
  },
  summarise(request, results) {
    const resampling = () => ({
      random: new Random(request.seed),
      seeds: new Random(request.seed + 1),
      resamples: request.resamples,
    });
    const sources = bySource(request, results).map(({ source, groups }) => {
      const samples = groups.map((seeds) => seeds.map(samplesOf));
      return {
        source: source.name,
        examples: source.lines.length,
        models: samples.map((own, g) => ({
          model: nameOf(request.models[g]),
          seeds: request.models[g].length,
          rows: summarise(own, resampling()),
          ...answersOf(groups[g], resampling()),
        })),
        ...(samples.length === 2 && { difference: compare(samples[0], samples[1], resampling()) }),
      };
    });
    return { intervals: intervalsOf(request.models.map(({ length }) => length)), sources };
  },
};

/** As `snrSteps` gives them of a batch: a metric that not every prompt allows is left out, the needle's is undefined there. */
function samplesOf(results: readonly Result[]): SnrSamples {
  const [{ entries }] = results;
  const given = SIGNAL_METRICS.filter((metric) =>
    metric === 'needle_against_context'
      ? results.some(({ values }) => values[metric])
      : results.every(({ values }) => values[metric]),
  );
  const seriesOf = (metric: SignalMetric) =>
    entries.map((_, entry) => Float64Array.from(results, ({ values }) => values[metric]?.[entry] ?? Number.NaN));
  return { entries, n: results.length, values: new Map(given.map((metric) => [metric, seriesOf(metric)])) };
}

/** ln p of whole answers, where every prompt has several tokens of one. */
function answersOf(seeds: readonly (readonly Result[])[], resampling: Resampling) {
  if (seeds.flat().some(({ answer }) => answer === undefined)) return {};
  const bySeed = seeds.map((results) => [Float64Array.from(results, ({ answer }) => answer as number)]);
  return { answer_logprob: seededMeans(bySeed, resampling)[0] };
}
