import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { bootstrapMeans, type Estimate, type Resampling } from '../bootstrap';
import type { SnrExample } from '../snrBatch';
import { type Progress, through } from '../steps';
import type { Budget } from './budget';
import {
  type ByBranch,
  type CancellationRequest,
  cancellationBudget,
  cancellationSteps,
  type LayerCancellation,
} from './cancellation';
import type { Outline } from './question';

/** Means over a batch of prompts with bootstrap 95 % intervals. */
export interface FormSummary {
  readonly share: ByBranch<Estimate>;
  /** share.difference − share.first of each prompt: above 0 where the subtraction favours the needle. */
  readonly gain: Estimate;
  readonly removed: { readonly needle: Estimate; readonly noise: Estimate };
}

export interface LayerSummary {
  readonly layer: number;
  readonly lambda: number;
  readonly logit: FormSummary;
  readonly norm: FormSummary;
  /** The largest of the prompts. */
  readonly reconstructionError: number;
}

/** One prompt of a batch; the layers are chosen once. */
export type CancellationExample = Omit<CancellationRequest, 'layers' | 'memory'>;

/** Examples of a batch as prompts of this test. @throws InputError where one has no needle. */
export const withNeedles = (examples: readonly SnrExample[]): CancellationExample[] =>
  examples.map(({ needle, ...rest }, index) => {
    if (needle) return { ...rest, needle };
    throw new InputError(`Example ${index + 1} has no needle: name the tokens that hold its answer.`);
  });

/** Memory of a batch, before it runs: that of its largest prompt. @throws InputError where one does not fit the model. */
export function cancellationBatchBudget(
  model: Outline,
  examples: readonly CancellationExample[],
  options: Pick<CancellationRequest, 'layers' | 'memory'>,
): Budget {
  const budgets = examples.map((example) => cancellationBudget(model, { ...example, ...options }));
  return { rows: 1, bytes: Math.max(0, ...budgets.map(({ bytes }) => bytes)) };
}

export interface CancellationBatch {
  /** Prompts that are finished, of those that there are. */
  readonly examples: number;
  readonly of: number;
  /** A mean over what is finished, worked out when it is read; empty before the first prompt. */
  readonly layers: readonly LayerSummary[];
}

export interface BatchOptions extends Pick<CancellationRequest, 'layers' | 'memory'> {
  /** Made anew for each summary, so that equal seeds give equal intervals. */
  readonly resampling: () => Resampling;
}

/**
 * {@link cancellationSteps} of many prompts, summarised by layer. Yields after every layer of every prompt; stop early with
 * `return()`. Memory is that of one prompt.
 * @throws InputError where there are no prompts, or one does not fit the model.
 */
export function* cancellationBatchSteps(
  model: Model,
  examples: readonly CancellationExample[],
  { layers, memory, resampling }: BatchOptions,
): Generator<Progress<CancellationBatch>, CancellationBatch, void> {
  if (examples.length === 0) throw new InputError('There are no examples: give at least one prompt.');
  const results: (readonly LayerCancellation[])[] = [];
  const result = (): CancellationBatch => batchOf([...results], examples.length, resampling);
  for (const [index, example] of examples.entries()) {
    const steps = cancellationSteps(model, { ...example, layers, memory });
    const { layers: found } = yield* through(steps, ({ done, total }) => ({
      done: index * total + done,
      total: examples.length * total,
      result: result(),
    }));
    results.push(found);
  }
  return result();
}

const batchOf = (
  results: readonly (readonly LayerCancellation[])[],
  of: number,
  resampling: () => Resampling,
): CancellationBatch => ({
  examples: results.length,
  of,
  get layers() {
    const random = resampling();
    const [first = []] = results;
    return first.map((_, place) =>
      summarise(
        results.map((prompt) => prompt[place]),
        random,
      ),
    );
  },
});

function summarise(prompts: readonly LayerCancellation[], resampling: Resampling): LayerSummary {
  const form = (name: 'logit' | 'norm'): FormSummary => {
    const series = (value: (form: LayerCancellation['logit']) => number) =>
      Float64Array.from(prompts, (each) => value(each[name]));
    const [first, second, difference, gain, needle, noise] = bootstrapMeans(
      [
        series(({ share }) => share.first),
        series(({ share }) => share.second),
        series(({ share }) => share.difference),
        series(({ share }) => share.difference - share.first),
        series(({ removed }) => removed.needle),
        series(({ removed }) => removed.noise),
      ],
      resampling,
    );
    return { share: { first, second, difference }, gain, removed: { needle, noise } };
  };
  const [{ layer, lambda }] = prompts;
  const reconstructionError = Math.max(...prompts.map((each) => each.reconstructionError));
  return { layer, lambda, logit: form('logit'), norm: form('norm'), reconstructionError };
}
