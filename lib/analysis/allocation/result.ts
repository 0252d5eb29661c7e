import type { OutputTensor } from '@/lib/checkpoint';
import { InputError } from '@/lib/checkpoint/types';
import { type Intervals, intervalsOf, TOKEN_CLASSES } from '@/lib/vocabulary';
import { type BySeed, seededMeans } from '../bootstrap';
import type { Budget } from '../causal/budget';
import type { Outline } from '../causal/question';
import { type AllocationRequest, allocationBudget } from './allocation';
import type { LayerReads } from './reads';
import {
  type LayerAllocation,
  type Measured,
  type PairedDifference,
  pairedDifference,
  type Resampled,
  summariseAllocation,
} from './summary';

/** What the training seeds of one model read: by seed, prompt and layer. */
export interface ReadModel {
  readonly names: readonly string[];
  readonly reads: readonly (readonly (readonly LayerReads[])[])[];
  /** ln p of whole answers, by seed and prompt, where some have several tokens. */
  readonly answers?: BySeed;
}

export interface ModelAllocation {
  /** Training seeds of one model joined by +. */
  readonly model: string;
  /** How many, where there are several. */
  readonly seeds?: number;
  /** ln p of the whole answer, each token given those before it, where some answers have several tokens. */
  readonly answer_logprob?: Measured | null;
  readonly layers: LayerAllocation[];
}

export interface PairedAllocation {
  readonly models: [string, string];
  /** Second model minus first. */
  readonly layers: { readonly layer: number; readonly needle_against_context: PairedDifference | null }[];
}

export interface AllocationResult {
  readonly examples: number;
  /** What the intervals of all models cover; absent where there are none. */
  readonly intervals?: Intervals;
  readonly models: ModelAllocation[];
  /** Every pair of models of equal depth, each layer against the layer of the same number; absent of one prompt. */
  readonly paired?: PairedAllocation[];
}

/**
 * What batches of prompts come to: the same prompts of every model. One prompt of one seed has no intervals.
 * Yields after every layer. Cost: that of a bootstrap a layer and model, and one a layer and pair.
 * @param resampling makes sources that begin anew, so that all models draw the same prompts
 */
export function* allocationResultSteps(
  found: readonly ReadModel[],
  resampling: () => Resampled,
): Generator<void, AllocationResult, void> {
  const prompts = found[0].reads[0].length;
  const models: ModelAllocation[] = [];
  for (const model of found) {
    const { names, reads, answers } = model;
    const hasIntervals = prompts > 1 || names.length > 1;
    const layers: LayerAllocation[] = [];
    for (const place of reads[0][0].keys()) {
      layers.push(summariseAllocation(atLayer(model, place), hasIntervals ? resampling() : undefined));
      yield;
    }
    models.push({
      model: names.join('+'),
      ...(names.length > 1 && { seeds: names.length }),
      ...(answers && { answer_logprob: wholeAnswers(answers, hasIntervals ? resampling() : undefined) }),
      layers,
    });
  }
  const paired: PairedAllocation[] = [];
  for (const [k, a] of found.entries())
    for (const b of prompts > 1 ? found.slice(k + 1) : []) {
      if (b.reads[0][0].length !== a.reads[0][0].length) continue;
      const layers: PairedAllocation['layers'][number][] = [];
      for (const [place, { layer }] of a.reads[0][0].entries()) {
        const difference = pairedDifference(atLayer(a, place), atLayer(b, place), resampling);
        layers.push({ layer, needle_against_context: difference });
        yield;
      }
      paired.push({ models: [a.names.join('+'), b.names.join('+')], layers });
    }
  const intervals = models.every(({ seeds = 1 }) => prompts > 1 || seeds > 1)
    ? intervalsOf(models.map(({ seeds = 1 }) => seeds))
    : undefined;
  return { examples: prompts, ...(intervals && { intervals }), models, ...(paired.length > 0 && { paired }) };
}

/** Null where the model gives no answer any probability. */
function wholeAnswers(answers: BySeed, resampling: Resampled | undefined): Measured | null {
  const [[[only]]] = answers;
  if (!resampling) return Number.isFinite(only) ? { mean: only } : null;
  const { prompts: random, seeds, resamples } = resampling;
  const [{ mean, low, high }] = seededMeans(answers, { random, seeds, resamples });
  return Number.isFinite(mean) ? { mean, low, high } : null;
}

const atLayer = ({ reads }: ReadModel, place: number) => reads.map((own) => own.map((prompt) => prompt[place]));

/**
 * Memory of the largest of many prompts, before any of them runs.
 * @throws InputError naming the example that does not fit the model.
 */
export function requireAllocations(model: Outline, examples: readonly AllocationRequest[]): Budget {
  const budgets = examples.map((example, k) => {
    try {
      return allocationBudget(model, example);
    } catch (error) {
      if (error instanceof InputError && examples.length > 1)
        throw new InputError(`Example ${k + 1}: ${error.message}`);
      throw error;
    }
  });
  return budgets.reduce((most, budget) => (budget.bytes > most.bytes ? budget : most));
}

const PARTS = ['net', 'branch_1', 'lambda_branch_2'] as const;
const SHARES = ['norm_share', 'projection_share', 'alti_share', 'logit'] as const;
const COMMON = ['removed', 'cosine', 'rejection_db'] as const;

/** Means by class, `MODEL.LAYER.PART.MEASURE` or `MODEL.LAYER.MEASURE` [classes], models by number; NaN where there is none. */
export const allocationTensors = ({ models }: Pick<AllocationResult, 'models'>): OutputTensor[] =>
  models.flatMap(({ layers }, model) =>
    layers.flatMap((one) => {
      const measures = [
        ...PARTS.flatMap((part) => SHARES.map((measure) => [`${part}.${measure}`, one[part]?.[measure]] as const)),
        ...COMMON.map((measure) => [measure, one[measure]] as const),
      ];
      return measures.flatMap(([name, found]): OutputTensor[] => {
        if (!found) return [];
        const data = Float32Array.from(TOKEN_CLASSES, (each) => found[each]?.mean ?? Number.NaN);
        return [{ name: `${model}.${one.layer}.${name}`, shape: [TOKEN_CLASSES.length], data }];
      });
    }),
  );
