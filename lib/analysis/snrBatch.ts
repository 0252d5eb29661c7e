import type * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { SIGNAL_METRICS, type SignalMetric, UNSCALED_METRICS } from '@/lib/vocabulary';
import { upTo } from './allocation/allocation';
import { classesOf } from './allocation/classes';
import { needleAgainstContext, readsOf } from './allocation/reads';
import { type Difference, type Estimate, type Resampling, seededDifferences, seededMeans } from './bootstrap';
import { branchNames } from './causal/branchTerms';
import type { Outline } from './causal/question';
import { watched } from './causal/seenBlock';
import { entryLabels, lensSteps, type Translator } from './lens';
import type { Span } from './span';
import { drain, type Steps, through } from './steps';

/** Needle probability and its logarithm, log-odds, margin, SNR over the vocabulary or the candidates, the needle against the context. */

export interface SnrExample {
  readonly tokens: readonly number[];
  /** Token id of the answer, its first where it has several. */
  readonly target: number;
  /** All tokens of the answer, where its text was read whole. */
  readonly answer?: readonly number[];
  /** A wrong answer, where logits are differences to it. */
  readonly foil?: number;
  /** Token ids for `snr_candidates`, which is NaN with fewer than two besides the target. */
  readonly candidates?: readonly number[];
  /** Tokens that name another answer, and those of the question, where the example says them. */
  readonly competing?: readonly Span[];
  readonly question?: readonly Span[];
  /** Present where `competing` was not said but found: the sentences that name another candidate. */
  readonly found?: true;
  /** The needle in tokens, for `needle_against_context`, which is NaN without one. */
  readonly needle?: Span;
  /** Token at which to read; default the last. */
  readonly position?: number;
  /** The prompt that patching holds it against. */
  readonly corrupted?: readonly number[];
  /** Present where `corrupted` was not said but made: the answer exchanged for another. */
  readonly made?: true;
}

export interface SnrBatchOptions {
  /** Default all that the examples allow; the needle against the context costs a row of every layer's operator and example. */
  readonly metrics?: readonly SignalMetric[];
  /** Makes it a tuned lens: one translator per block. */
  readonly translators?: readonly Translator[];
}

export interface SnrSamples {
  /** `embedding` (logit lens only), `layer 0` …, `final`. */
  readonly entries: readonly string[];
  readonly n: number;
  /** For each metric and entry one value per example, unrounded. */
  readonly values: ReadonlyMap<SignalMetric, readonly Float64Array[]>;
}

/**
 * The SNR measures of many examples, every entry of the lens at one position each. Keeps only the residual streams at those
 * positions, and puts them through the lens together. Yields after each example and each step of the lens. Cost: a forward
 * pass per example, (blocks + 1) unembeddings of one position each.
 * @throws InputError for an example that does not fit, by its number from 0.
 */
export function* snrSteps(
  model: Model,
  examples: readonly SnrExample[],
  { metrics = metricsOf(examples), translators }: SnrBatchOptions = {},
): Generator<Steps, SnrSamples, void> {
  requireSnrExamples(model, examples);
  const { d, blocks } = model.config;
  const n = examples.length;
  const streams = Array.from({ length: blocks.length + 1 }, () => new Float32Array(n * d));
  const shares = blocks.map(() => new Float64Array(n).fill(Number.NaN));
  const wantsNeedle = metrics.includes('needle_against_context');
  for (let k = 0; k < n; k++) {
    readExample(model, examples[k], wantsNeedle, (stream, row) => streams[stream].set(row, k * d), shares, k);
    yield { done: k + 1, total: 2 * n };
  }
  const steps = lensSteps(
    model,
    { B: n, L: 1, streams },
    { targets: examples.map(({ target }) => target), candidates: candidatesOf(examples), translators },
  );
  const { entries, statistics } = yield* through(steps, ({ done, total }) => ({
    done: n + Math.floor((n * done) / total),
    total: 2 * n,
  }));
  const none = new Float64Array(n).fill(Number.NaN);
  const read = entryLabels(blocks.length).map((_, entry) => shares[entry - 1] ?? none);
  const valuesOf = (metric: SignalMetric) =>
    entries.map((_, entry) =>
      metric === 'needle_against_context'
        ? read[entry + (translators ? 1 : 0)]
        : statistics[metric].slice(entry * n, (entry + 1) * n),
    );
  return { entries, n, values: new Map(metrics.map((metric) => [metric, valuesOf(metric)])) };
}

/** {@link snrSteps} in one go. */
export function snrOf(model: Model, examples: readonly SnrExample[], options?: SnrBatchOptions): SnrSamples {
  return drain(snrSteps(model, examples, options));
}

export interface SnrRow extends Estimate {
  readonly entry: string;
  readonly metric: SignalMetric;
}

/** Samples of the training seeds of one model, over the same examples in the same order; one where it has one. */
export type SeedSamples = readonly SnrSamples[];

/**
 * Mean, standard error and bootstrap interval of every metric and entry. Of several training seeds the mean over seeds and
 * examples, both drawn anew.
 * @throws InputError where the seeds differ in their layers
 */
export function summarise(seeds: SeedSamples, resampling: Resampling): SnrRow[] {
  const [{ entries, values }] = requireSameEntries(seeds);
  const labels = [...values].flatMap(([metric]) => entries.map((entry) => ({ entry, metric })));
  const estimates = seededMeans(
    seeds.map((own) => [...own.values.values()].flat()),
    resampling,
  );
  return labels.map((label, k) => ({ ...label, ...estimates[k] }));
}

function requireSameEntries(seeds: SeedSamples): SeedSamples {
  if (seeds.every(({ entries }) => entries.join() === seeds[0].entries.join())) return seeds;
  throw new InputError('Training seeds of one model must have the same number of layers.');
}

export interface SnrDifference extends Difference {
  readonly entry: string;
  readonly metric: SignalMetric;
}

/**
 * How much higher b is than a on the same examples, for the entries that both have: mean difference, paired bootstrap
 * interval and two-sided p; of models with several training seeds, those are drawn anew too. Margins are compared in standard
 * deviations of the logits only (`margin_std`).
 * @throws InputError where the numbers of examples differ.
 */
export function compare(a: SeedSamples, b: SeedSamples, resampling: Resampling): SnrDifference[] {
  const [[one], [two]] = [requireSameEntries(a), requireSameEntries(b)];
  if (one.n !== two.n) throw new InputError(`A paired test needs the same examples: there are ${one.n} and ${two.n}.`);
  const shared = one.entries.filter((entry) => two.entries.includes(entry));
  const labels = [...one.values.keys()]
    .filter((metric) => two.values.has(metric) && !UNSCALED_METRICS.includes(metric))
    .flatMap((metric) => shared.map((entry) => ({ entry, metric })));
  const series = ({ entries, values }: SnrSamples) =>
    labels.map(({ entry, metric }) => (values.get(metric) as Float64Array[])[entries.indexOf(entry)]);
  const differences = seededDifferences(a.map(series), b.map(series), resampling);
  return labels.map((label, k) => ({ ...label, ...differences[k] }));
}

/** The needle against the context only where some example has a needle, SNR over candidates only where one has candidates. */
function metricsOf(examples: readonly SnrExample[]): SignalMetric[] {
  return SIGNAL_METRICS.filter(
    (metric) =>
      (metric !== 'needle_against_context' || examples.some(({ needle }) => needle)) &&
      (metric !== 'snr_candidates' || candidatesOf(examples)),
  );
}

/** The lens wants candidates of all rows or of none. */
const candidatesOf = (examples: readonly SnrExample[]): (readonly number[])[] | undefined =>
  examples.every(({ candidates, target }) => new Set(candidates?.filter((id) => id !== target)).size >= 2)
    ? examples.map(({ candidates }) => candidates ?? [])
    : undefined;

/** Runs one example block by block up to the token that is read, and hands over the residual streams there. */
function readExample(
  model: Model,
  { tokens, needle, competing, question, position = tokens.length - 1 }: SnrExample,
  wantsNeedle: boolean,
  keep: (stream: number, row: Float32Array) => void,
  shares: readonly Float64Array[],
  example: number,
): void {
  const { config } = model;
  const L = position + 1;
  const classes =
    wantsNeedle && needle && needle[0] < L ? classesOf(L, upTo(L, { needle, competing, question })) : undefined;
  const row = (stream: tf.Tensor) => {
    const at = stream.slice([0, position, 0], [1, 1, config.d]);
    const values = (at.dataSync() as Float32Array).slice();
    at.dispose();
    return values;
  };
  const watch = watched(model, classes ? config.blocks.flatMap((block, layer) => branchNames(layer, block)) : []);
  const hooks: Hook[] = [['hook_embed', (value) => keep(0, row(value))], ...watch.hooks];
  const blocks = model.blocksOf([tokens.slice(0, L)], hooks);
  try {
    let step = blocks.next();
    while (!step.done) {
      const { index, residual } = step.value;
      keep(index + 1, row(residual));
      if (classes) shares[index][example] = needleAgainstContext(readsOf(model, watch.seen, index, classes));
      watch.forget();
      step = blocks.next();
    }
    step.value.dispose();
  } finally {
    watch.forget();
  }
}

/** @throws InputError for an example that does not fit the model, by its number from 0. */
export function requireSnrExamples(model: Outline, examples: readonly SnrExample[]): void {
  examples.forEach((example, k) => {
    checkExample(example, k, model);
  });
}

function checkExample(
  { tokens, target, needle, position = 0 }: SnrExample,
  k: number,
  { config, name }: Outline,
): void {
  const { V } = config;
  const bad = [...tokens, target].find((id) => !Number.isInteger(id) || id < 0 || id >= V);
  if (tokens.length === 0) throw new InputError(`Example ${k} has no tokens: give at least one.`);
  if (bad !== undefined)
    throw new InputError(
      `Token id ${bad} of example ${k} is outside the vocabulary of ${name}: ids go from 0 to ${V - 1}.`,
    );
  if (needle && !(needle[0] >= 0 && needle[0] < needle[1] && needle[1] <= tokens.length))
    throw new InputError(`The needle of example ${k} is not a span within its ${tokens.length} tokens.`);
  if (!Number.isInteger(position) || position < 0 || position >= tokens.length)
    throw new InputError(`Example ${k} has no position ${position}: it has ${tokens.length} tokens.`);
}
