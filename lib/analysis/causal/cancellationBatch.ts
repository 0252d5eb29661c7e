import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { type ByBranch, type CancellationRequest, cancellationSteps, type LayerCancellation } from './cancellation';
import { drain } from './continuation';
import { type Estimate, estimateOf } from './interval';
import type { Progress } from './patch';

/** Means over a batch of prompts with bootstrap 95 % intervals. */
export interface FormSummary {
  readonly share: ByBranch<Estimate>;
  /** share.difference − share.first of each prompt: above 0 where the subtraction favours the needle. */
  readonly gain: Estimate;
  readonly removed: { readonly needle: Estimate; readonly noise: Estimate };
}

export interface LayerSummary {
  readonly layer: number;
  readonly lambda: Estimate;
  readonly logit: FormSummary;
  readonly norm: FormSummary;
  /** The largest of the prompts. */
  readonly reconstructionError: number;
}

/** One line of a batch; the layers are chosen once. */
export type CancellationExample = Omit<CancellationRequest, 'layers' | 'memory'>;

/**
 * {@link cancellationSteps} of many prompts, summarised by layer. Yields after every layer of every prompt, with the summary
 * of the prompts that are done; stop early with `return()`. Memory is that of one prompt.
 * @throws InputError where there are no prompts, or one does not fit the model.
 */
export function* cancellationBatchSteps(
  model: Model,
  examples: readonly CancellationExample[],
  options: Pick<CancellationRequest, 'layers' | 'memory'> & { readonly seed?: number } = {},
): Generator<Progress<readonly LayerSummary[]>, readonly LayerSummary[], void> {
  if (examples.length === 0) throw new InputError('There are no examples: give at least one prompt.');
  const done: (readonly LayerCancellation[])[] = [];
  let summary: readonly LayerSummary[] = [];
  for (const [index, example] of examples.entries()) {
    const steps = cancellationSteps(model, { ...example, layers: options.layers, memory: options.memory });
    let step = steps.next();
    while (!step.done) {
      const { total, done: layer } = step.value;
      yield { done: index * total + layer, total: examples.length * total, result: summary };
      step = steps.next();
    }
    done.push(step.value.layers);
    summary = summarise(done, options.seed ?? 0);
  }
  return summary;
}

/** {@link cancellationBatchSteps} in one go. */
export const cancellationBatch = (...args: Parameters<typeof cancellationBatchSteps>): readonly LayerSummary[] =>
  drain(cancellationBatchSteps(...args));

function summarise(prompts: readonly (readonly LayerCancellation[])[], seed: number): LayerSummary[] {
  return prompts[0].map(({ layer }, place) => {
    const results = prompts.map((layers) => layers[place]);
    const over = (value: (each: LayerCancellation) => number) => estimateOf(results.map(value), seed);
    const form = (name: 'logit' | 'norm'): FormSummary => ({
      share: {
        first: over((each) => each[name].share.first),
        second: over((each) => each[name].share.second),
        difference: over((each) => each[name].share.difference),
      },
      gain: over((each) => each[name].share.difference - each[name].share.first),
      removed: { needle: over((each) => each[name].removed.needle), noise: over((each) => each[name].removed.noise) },
    });
    return {
      layer,
      lambda: over(({ lambda }) => lambda),
      logit: form('logit'),
      norm: form('norm'),
      reconstructionError: Math.max(...results.map(({ reconstructionError }) => reconstructionError)),
    };
  });
}
