import { z } from 'zod';
import { type CausalSample, type CausalTask, causalSample, causalSummary, foundNote } from '@/lib/analysis';
import { withoutNeedle } from '@/lib/data/snr-examples';
import { Random } from '@/lib/random';
import { intervalsOf } from '@/lib/vocabulary';
import { SWEEP_OPTIONS } from '@/lib/vocabulary/sweep-options';
import type { SweepKind } from '../kind';
import { batchItem, batchItems, batchLabel, batchShape, bySource, nameOf } from './batch';

const SCHEMAS = {
  patch: z
    .object({ ...batchShape, ...SWEEP_OPTIONS.patch })
    .strict()
    .superRefine(({ method, point, mixer, steps }, context) => {
      const refuse = (message: string) => context.addIssue({ code: 'custom', message });
      if (method === 'exact' && steps > 1) refuse('steps are of an attribution: leave them out, or take that method');
      if (method === 'attribution' && mixer)
        refuse('an attribution takes whole points: take mixer_1 or mixer_2 as the point');
      if (method === 'attribution' && /(^|\.)(hook_h|ssm|conv)$/.test(point))
        refuse(`${point} is estimated for spans only: patch it exactly, or take another point`);
      if (point === 'ssm' || point === 'conv')
        refuse(`${point} is patched after a span, and a class of tokens has several: take hook_h`);
    }),
  knockout: z
    .object({ ...batchShape, ...SWEEP_OPTIONS.knockout })
    .strict()
    .refine(
      ({ together, window }) => !together || window === 1,
      'take all layers together or a window of some, not both',
    ),
  ablate: z
    .object({ ...batchShape, ...SWEEP_OPTIONS.ablate })
    .strict()
    .superRefine(({ method, reference, unit, window }, context) => {
      const refuse = (message: string) => context.addIssue({ code: 'custom', message });
      if (method === 'zero' && reference) refuse('zero takes nothing from a reference: leave it out, or choose mean');
      if (method !== 'zero' && !reference) refuse(`${method} takes its values from other prompts: give a reference`);
      if (window > 1 && (unit === 'head' || unit === 'channel')) refuse('a window takes whole blocks or mixers');
    }),
};
export type CausalKind = keyof typeof SCHEMAS;
type Request<K extends CausalKind> = z.output<(typeof SCHEMAS)[K]>;

/** A causal test by class of token: an item is a prompt of a model (`statescope patch|knockout|ablate --examples`). */
function kindOf<K extends CausalKind>(test: K): SweepKind<Request<K>, CausalSample> {
  return {
    name: test,
    schema: SCHEMAS[test] as unknown as z.ZodType<Request<K>>,
    items: batchItems,
    label: batchLabel,
    async run(request, item, bench) {
      const { model, source, example } = batchItem(request, item);
      const opened = await bench.model(model, request.weights);
      const one = (await bench.examples(source, opened, model, { pairs: test === 'patch' }))[example];
      if (needsNeedle(test, request) && !one.needle) throw withoutNeedle(example, source.name);
      return causalSample(opened.model, taskOf(test, request), one);
    },
    summarise(request, results) {
      const {
        models,
        sources: _s,
        weights: _w,
        resamples,
        seed,
        reference,
        ...settings
      } = request as Request<K> & {
        reference?: unknown;
      };
      const resampling = () => ({ random: new Random(seed), seeds: new Random(seed + 1), resamples });
      const sources = bySource(request, results).map(({ source, groups }) => ({
        source: source.name,
        examples: source.lines.length,
        models: groups.map((seeds, g) => {
          const { found, made, ...summary } = causalSummary(seeds, resampling);
          const model = nameOf(models[g]);
          const n = seeds.flat().length;
          const notes = [...(found > 0 ? [foundNote(model, found, n)] : []), ...(made > 0 ? [madeNote(made, n)] : [])];
          return { model, seeds: seeds.length, ...summary, notes };
        }),
      }));
      return { intervals: intervalsOf(models.map(({ length }) => length)), settings, sources };
    },
  };
}

/** What is done with every prompt of a request. */
export function taskOf<K extends CausalKind>(test: K, request: Request<K>): CausalTask {
  const { models: _m, sources: _s, weights: _w, resamples: _r, seed, memory_mb, ...asked } = request;
  const task = { test, ...asked, ...(test === 'ablate' && { seed }), memory: memory_mb * 2 ** 20 };
  return task as unknown as CausalTask;
}

export const isCausal = (kind: string): kind is CausalKind => kind in SCHEMAS;

/** Whether the columns are classes of tokens, of which the needle is one. */
export const needsNeedle = (kind: string, request: object): boolean =>
  kind === 'allocation' ||
  kind === 'patch' ||
  kind === 'knockout' ||
  (kind === 'ablate' && 'rows' in request && request.rows === 'class');

const madeNote = (made: number, n: number) =>
  `The corrupted prompts of ${made} of ${n} examples were made: the answer that the needle names, exchanged for another candidate, which is the foil. Give "corrupted" to say them.`;

export const patchKind = kindOf('patch');
export const knockoutKind = kindOf('knockout');
export const ablateKind = kindOf('ablate');
