import { CONTEXT_CLASSES, TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import type { DrawSource } from '../bootstrap';
import { CLASS } from './classes';
import type { LayerReads, PartReads } from './reads';

/** A number with its interval; both ends are absent of one prompt. Null where it is not defined. */
export interface Measured {
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
}

export type ByClass = Readonly<Record<TokenClass, Measured | null>>;

/** What one part of a block reads: the whole block, branch 1, or λ · branch 2. */
export interface PartSummary {
  /** Share of Σ ‖c_j‖: of norms, which do not add up to the output. */
  readonly norm_share: ByClass;
  /** Share of the output that the class brings, signed; 1 over all classes. */
  readonly projection_share: ByClass;
  /** Share of nearness to the output (ALTI). */
  readonly alti_share: ByClass;
  /** In logits, signed. */
  readonly logit: ByClass;
  /** Needle over all context, question and read-out token apart; null where no context is read. */
  readonly needle_against_context: Measured | null;
}

export interface LayerAllocation {
  readonly layer: number;
  readonly kind: string;
  readonly differential: boolean;
  /** Mean number of tokens of each class. */
  readonly tokens: Readonly<Record<TokenClass, number>>;
  /** Needle tokens over context tokens: what `needle_against_context` is where every token is read alike. */
  readonly chance: number;
  readonly net: PartSummary;
  /** Of differential blocks: branch 1 and λ · branch 2, with the scale that both have in the block. */
  readonly branch_1?: PartSummary;
  readonly lambda_branch_2?: PartSummary;
  /** 1 − Σ ‖c¹ − λc²‖ / Σ ‖c¹‖: what the subtraction takes of branch 1; negative where it adds. */
  readonly removed?: ByClass;
  /** Σ ⟨c¹, λc²⟩ / (Σ ‖c¹‖² Σ ‖λc²‖²)^½ */
  readonly cosine?: ByClass;
  /** 10 log₁₀ (Σ ‖(c¹ + λc²)/2‖² / Σ ‖c¹ − λc²‖²), in decibels. */
  readonly rejection_db?: ByClass;
  /** The largest of the prompts. */
  readonly reconstruction_error: number;
}

const N = TOKEN_CLASSES.length;

/**
 * What is summed over prompts, as a flat vector. The masses of a prompt are divided by its own total first, so that prompts
 * weigh alike; every measure is then one of these sums over another, never a mean of ratios.
 */
function featuresOf({ net, branches, counts }: LayerReads): Float64Array {
  const parts = branches ? [net, branches.first, branches.second] : [net];
  const features = parts.flatMap((part) => [
    ...sharesOf(part.norm),
    // Of what adds to nothing there is no share: it counts for no prompt.
    ...(Number.isFinite(part.projection[0]) ? part.projection : new Float64Array(N)),
    Number.isFinite(part.projection[0]) ? 1 : 0,
    ...sharesOf(part.alti),
    ...part.logit,
  ]);
  const common = branches ? commonFeatures(net, branches) : [];
  return Float64Array.from([1, ...counts, ...features, ...common]);
}

/** Each class over the total, and whether there is a total. */
function sharesOf(masses: Float64Array): number[] {
  const total = masses.reduce((sum, value) => sum + value, 0);
  return [...Array.from(masses, (value) => (total > 0 ? value / total : 0)), total > 0 ? 1 : 0];
}

function commonFeatures(net: PartReads, { first, common }: NonNullable<LayerReads['branches']>): number[] {
  const total = first.norm.reduce((sum, value) => sum + value, 0);
  const unit = total > 0 ? total : 1;
  const {
    squares: [one, two],
    product,
  } = common;
  const over = (values: Float64Array, by: number) => Array.from(values, (value) => value / by);
  return [
    ...over(net.norm, unit),
    ...over(first.norm, unit),
    ...over(one, unit ** 2),
    ...over(two, unit ** 2),
    ...over(product, unit ** 2),
  ];
}

/** Every number of a layer's summary from the sums over prompts, in a fixed order. */
function statisticsOf(sums: Float64Array, differential: boolean): number[] {
  let at = 1;
  const take = (count: number) => {
    at += count;
    return sums.subarray(at - count, at);
  };
  const counts = take(N);
  const present = (values: Iterable<number>) =>
    Array.from(values, (value, place) => (counts[place] > 0 ? value : Number.NaN));
  const statistics: number[] = [];
  for (let part = 0; part < (differential ? 3 : 1); part++) {
    const [norm, norms, projection, projections, alti, altis, logit] = [
      ...[take(N), take(1)[0], take(N), take(1)[0], take(N), take(1)[0], take(N)],
    ] as [Float64Array, number, Float64Array, number, Float64Array, number, Float64Array];
    const context = CONTEXT_CLASSES.reduce((sum, name) => sum + norm[CLASS[name]], 0);
    statistics.push(
      ...present(norm.map((value) => value / norms)),
      ...present(projection.map((value) => value / projections)),
      ...present(alti.map((value) => value / altis)),
      ...present(logit.map((value) => value / sums[0])),
      context > 0 ? norm[CLASS.needle] / context : Number.NaN,
    );
  }
  if (differential) {
    const [difference, first, one, two, product] = [take(N), take(N), take(N), take(N), take(N)];
    const each = (value: (place: number) => number) => present(Array.from({ length: N }, (_, place) => value(place)));
    statistics.push(
      ...each((k) => 1 - difference[k] / first[k]),
      ...each((k) => product[k] / Math.sqrt(one[k] * two[k])),
      ...each((k) => {
        const [shared, left] = [(one[k] + two[k] + 2 * product[k]) / 4, one[k] + two[k] - 2 * product[k]];
        return 10 * Math.log10(shared / left);
      }),
    );
  }
  return statistics;
}

/** Two sources, so that models with the same prompts draw the same ones however many seeds each has. */
export interface Resampled {
  readonly prompts: DrawSource;
  readonly seeds: DrawSource;
  readonly resamples: number;
}

/** Sums of vectors over prompts that are drawn anew for every resample: seeds first, then prompts within them. */
function* draws(
  /** By training seed, then prompt. */
  features: readonly (readonly Float64Array[])[],
  { prompts: source, seeds: other, resamples }: Resampled,
): Generator<Float64Array> {
  const prompts = features[0].length;
  for (let r = 0; r < resamples; r++) {
    const drawn = Array.from({ length: prompts }, () => source.integer(0, prompts - 1));
    const seeds = features.map(() => (features.length === 1 ? 0 : other.integer(0, features.length - 1)));
    const sums = new Float64Array(features[0][0].length);
    for (const seed of seeds)
      for (const prompt of drawn) {
        const own = features[seed][prompt];
        for (let k = 0; k < sums.length; k++) sums[k] += own[k];
      }
    yield sums;
  }
}

function sumOf(features: readonly (readonly Float64Array[])[]): Float64Array {
  const sums = new Float64Array(features[0][0].length);
  for (const own of features.flat()) for (let k = 0; k < sums.length; k++) sums[k] += own[k];
  return sums;
}

/** Percentile interval of the finite values. */
function intervalOf(values: readonly number[]): { low: number; high: number } | undefined {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  if (sorted.length === 0) return undefined;
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  };
  return { low: at(0.025), high: at(0.975) };
}

/**
 * One layer over all prompts, and over the seeds of a model where there are several.
 * @param reads by training seed, then prompt: the same prompts for each
 * @param resampling absent for one prompt, which has no interval
 * Cost: resamples · prompts · seeds · about 100 additions.
 */
export function summariseAllocation(
  reads: readonly (readonly LayerReads[])[],
  resampling: Resampled | undefined,
): LayerAllocation {
  const [first] = reads[0];
  const differential = first.branches !== undefined;
  const features = reads.map((prompts) => prompts.map(featuresOf));
  const sums = sumOf(features);
  const found = statisticsOf(sums, differential);
  const resampled: number[][] = found.map(() => []);
  if (resampling)
    for (const drawn of draws(features, resampling))
      for (const [k, value] of statisticsOf(drawn, differential).entries()) resampled[k].push(value);
  const measured = found.map((mean, k): Measured | null =>
    Number.isFinite(mean) ? { mean, ...(resampling && intervalOf(resampled[k])) } : null,
  );
  let at = 0;
  const byClass = (): ByClass => {
    at += N;
    const own = measured.slice(at - N, at);
    return Object.fromEntries(TOKEN_CLASSES.map((name, place) => [name, own[place]])) as ByClass;
  };
  const part = (): PartSummary => ({
    norm_share: byClass(),
    projection_share: byClass(),
    alti_share: byClass(),
    logit: byClass(),
    needle_against_context: measured[at++],
  });
  const prompts = sums[0];
  const tokens = Object.fromEntries(
    TOKEN_CLASSES.map((name, place) => [name, sums[1 + place] / prompts]),
  ) as LayerAllocation['tokens'];
  const context = CONTEXT_CLASSES.reduce((sum, name) => sum + tokens[name], 0);
  return {
    layer: first.layer,
    kind: first.kind,
    differential,
    tokens,
    chance: tokens.needle / context,
    net: part(),
    ...(differential && {
      branch_1: part(),
      lambda_branch_2: part(),
      removed: byClass(),
      cosine: byClass(),
      rejection_db: byClass(),
    }),
    reconstruction_error: Math.max(...reads.flat().map(({ reconstructionError }) => reconstructionError)),
  };
}

export interface PairedDifference {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Two-sided, of the bootstrap; it cannot be below 2 / (resamples + 1). */
  readonly p: number;
}

/**
 * `needle_against_context` of one model minus that of another on the same prompts, layer by layer.
 * @param resampling makes sources that begin anew, so that both draw the same prompts
 */
export function pairedDifference(
  a: readonly (readonly LayerReads[])[],
  b: readonly (readonly LayerReads[])[],
  resampling: () => Resampled,
): PairedDifference | null {
  const value = (sums: Float64Array) => {
    const norm = sums.subarray(1 + N, 1 + 2 * N);
    return norm[CLASS.needle] / CONTEXT_CLASSES.reduce((sum, name) => sum + norm[CLASS[name]], 0);
  };
  const [one, two] = [a, b].map((reads) => reads.map((prompts) => prompts.map(featuresOf)));
  const mean = value(sumOf(two)) - value(sumOf(one));
  if (!Number.isFinite(mean)) return null;
  const others = draws(two, resampling());
  const values: number[] = [];
  for (const sums of draws(one, resampling())) {
    const difference = value(others.next().value as Float64Array) - value(sums);
    if (Number.isFinite(difference)) values.push(difference);
  }
  const interval = intervalOf(values);
  if (!interval) return null;
  const [below, above] = [values.filter((each) => each <= 0).length, values.filter((each) => each >= 0).length];
  return { mean, ...interval, p: Math.min(1, (2 * (Math.min(below, above) + 1)) / (values.length + 1)) };
}
