import { z } from 'zod';
import type { SnrExampleInput } from '@/lib/api/analyses';
import type { Sweep, SweepRequestInput } from '@/lib/api/sweeps';
import type { View } from '../data/view';
import { isBranched } from './points';
import type { CausalSettings } from './settings';

const estimate = z.object({
  mean: z.number().nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  n: z.number(),
});
export type Estimate = z.infer<typeof estimate>;

const cell = z.object({
  layers: z.array(z.number()),
  class: z.string(),
  tokens: z.number(),
  effect: estimate.optional(),
  change: estimate.optional(),
});

/** What the page reads of a sweep's result. */
const schema = z.object({
  intervals: z.object({ level: z.number(), over: z.enum(['prompts', 'training seeds and prompts']) }),
  sources: z.array(
    z.object({
      source: z.string(),
      examples: z.number(),
      models: z.array(
        z.object({ model: z.string(), metric: z.string(), cells: z.array(cell), notes: z.array(z.string()) }),
      ),
    }),
  ),
});
export type OverExamples = z.infer<typeof schema>;

/** The result of a sweep of causal tests; undefined while it has none. */
export const overExamplesOf = (sweep: Sweep | undefined): OverExamples | undefined => {
  const read = schema.safeParse(sweep?.result);
  return read.success ? read.data : undefined;
};

/** One model's means: a row a layer or window, a column a class. */
export interface MeanMap {
  readonly model: string;
  readonly classes: readonly { readonly name: string; readonly tokens: number }[];
  readonly rows: readonly { readonly layers: readonly number[]; readonly cells: readonly (Estimate | undefined)[] }[];
}

/** Effects of patching, changes of a knock-out, by layer and class. */
export function meanMapOf({ sources: [{ models }] }: OverExamples, k: number): MeanMap {
  const { model, cells } = models[k];
  const names = [...new Set(cells.map((one) => one.class))];
  const rows = [...new Set(cells.map(({ layers }) => layers.join()))];
  return {
    model,
    classes: names.map((name) => ({ name, tokens: cells.find((one) => one.class === name)?.tokens ?? 0 })),
    rows: rows.map((row) => {
      const own = cells.filter(({ layers }) => layers.join() === row);
      return {
        layers: own[0].layers,
        cells: names.map((name) => {
          const found = own.find((one) => one.class === name);
          return found?.effect ?? found?.change;
        }),
      };
    }),
  };
}

/** The sweep that the settings of the section ask for. */
export function sweepRequest(
  view: View,
  test: 'patch' | 'knockout',
  settings: Pick<CausalSettings, 'point' | 'branch' | 'direction' | 'queries' | 'reads' | 'window'>,
  examples: readonly SnrExampleInput[] | string,
): SweepRequestInput {
  const { point, branch, direction, queries, reads, window } = settings;
  const common = {
    models: [...new Set(view.models.map(({ name }) => name))],
    sources: [
      { name: typeof examples === 'string' ? 'stories' : 'own prompts', examples: examples as SnrExampleInput[] },
    ],
    window,
  };
  if (test === 'knockout') return { kind: 'knockout', ...common, queries, reads, ...(branch && { mixer: branch }) };
  const mixer = isBranched(view.models, point) ? branch : '';
  return { kind: 'patch', ...common, point, direction, ...(mixer && { mixer }) };
}
