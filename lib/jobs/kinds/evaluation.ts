import { z } from 'zod';
import {
  type Arm,
  type Asked,
  EVALUATION_NAMES,
  EVALUATIONS,
  type Evaluation,
  type Line,
  type ModelFacts,
  resamplingOf,
} from '@/lib/evaluation';
import { keptFormat } from '@/lib/models';
import { RESAMPLES, WEIGHT_CHOICES } from '@/lib/vocabulary';
import { type Bench, modelSchema, type SweptModel } from '../bench';
import type { SweepKind } from '../kind';

const schema = z
  .object({
    evaluation: z.enum(EVALUATION_NAMES),
    /** As `statescope eval` takes them; files that they name are read by every worker. */
    settings: z.record(z.string(), z.unknown()),
    /** What is compared, each as its training seeds, with how many items the evaluation has for the model. */
    arms: z
      .array(
        z
          .object({
            label: z.string().min(1),
            seeds: z.array(z.object({ model: modelSchema, items: z.number().int().positive() }).strict()).min(1),
          })
          .strict(),
      )
      .min(1),
    weights: z.enum(WEIGHT_CHOICES),
    resamples: z.number().int().positive().default(RESAMPLES),
    seed: z.number().int().nonnegative().default(42),
  })
  .strict();
type Request = z.infer<typeof schema>;

interface Result {
  readonly facts: ModelFacts;
  readonly lines: readonly Line[];
}

/** An evaluation of trained models: an item is a part that the evaluation itself names (`statescope eval`). */
export const evaluationKind: SweepKind<Request, Result> = {
  name: 'eval',
  schema,
  items: ({ arms }) => arms.flatMap(({ seeds }) => seeds).reduce((sum, { items }) => sum + items, 0),
  label(request, item) {
    const { model, index } = placeOf(request, item);
    return `${request.evaluation}, ${model.name}, part ${index + 1}`;
  },
  async run(request, item, bench) {
    const { model, index } = placeOf(request, item);
    const { asked, facts } = await askedOf(bench, model, request);
    const evaluation = await evaluationOf(request);
    return { facts, lines: await evaluation.evaluateItem(asked, evaluation.items(asked)[index]) };
  },
  async summarise(request, results) {
    const evaluation = await evaluationOf(request);
    let at = 0;
    const arms = request.arms.map(
      ({ label, seeds }): Arm => ({
        label,
        seeds: seeds.map(({ items }) => {
          const own = results.slice(at, at + items);
          at += items;
          return { facts: own[0].facts, lines: own.flatMap(({ lines }) => lines) };
        }),
      }),
    );
    const source = () => resamplingOf(request.seed, request.resamples);
    const summary = evaluation.summarise(arms, source);
    return { evaluation: request.evaluation, settings: evaluation.settings, results: summary };
  },
};

const made = new WeakMap<object, Promise<Evaluation>>();

/** A worker's items of one sweep share the evaluation, and what it has read. */
export function evaluationOf({ evaluation, settings }: Pick<Request, 'evaluation' | 'settings'>): Promise<Evaluation> {
  const known = made.get(settings) ?? EVALUATIONS[evaluation](settings);
  made.set(settings, known);
  return known;
}

function placeOf({ arms }: Request, item: number): { model: SweptModel; index: number } {
  let index = item;
  for (const { model, items } of arms.flatMap(({ seeds }) => seeds)) {
    if (index < items) return { model, index };
    index -= items;
  }
  throw new Error(`There is no item ${item}.`);
}

async function askedOf(
  bench: Bench,
  model: SweptModel,
  { weights }: Request,
): Promise<{ asked: Asked; facts: ModelFacts }> {
  const { checkpoint, model: opened, tokenizer: read } = await bench.model(model, weights);
  const { name, config, parameterCount, warnings, tokenizerPath } = checkpoint;
  const tokenizer = await read();
  return {
    asked: { name, vocabulary: config.vocabulary, tokenizer, tokenizerPath, model: opened },
    facts: {
      ...{ name, device: bench.device.name, weights: keptFormat(checkpoint, weights), parameters: parameterCount },
      ...{ sha256: model.fingerprint, tokenizer: null },
      ...(warnings && { warnings }),
    },
  };
}
