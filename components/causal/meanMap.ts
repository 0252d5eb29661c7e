import { z } from 'zod';
import type { SnrExampleInput } from '@/lib/api/analyses';
import type { Sweep, SweepRequestInput } from '@/lib/api/sweeps';
import type { View } from '../data/view';
import type { SweptTest } from '../state/sweeps';
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
  mixer: z.string().optional(),
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

/** One model's means: a row a layer, window or mixer, a column a class. */
export interface MeanMap {
  readonly model: string;
  readonly classes: readonly { readonly name: string; readonly tokens: number }[];
  readonly rows: readonly {
    /** Its layers, and the mixer where a block has two: “2”, “0–1”, “3 mixer_1”. */
    readonly name: string;
    readonly cells: readonly (Estimate | undefined)[];
  }[];
}

const rowName = ({ layers, mixer }: Pick<z.infer<typeof cell>, 'layers' | 'mixer'>): string =>
  [layers.length === 1 ? layers[0] : `${layers[0]}–${layers[layers.length - 1]}`, mixer]
    .filter((part) => part !== undefined)
    .join(' ');

/** Effects of patching, changes of a knock-out or ablation, by layer and class. */
export function meanMapOf({ sources: [{ models }] }: OverExamples, k: number): MeanMap {
  const { model, cells } = models[k];
  const names = [...new Set(cells.map((one) => one.class))];
  const rows = [...new Set(cells.map(rowName))];
  return {
    model,
    classes: names.map((name) => ({ name, tokens: cells.find((one) => one.class === name)?.tokens ?? 0 })),
    rows: rows.map((row) => {
      const own = cells.filter((one) => rowName(one) === row);
      return {
        name: row,
        cells: names.map((name) => {
          const found = own.find((one) => one.class === name);
          return found?.effect ?? found?.change;
        }),
      };
    }),
  };
}

/** |mean| at which colours saturate: all of the effect of a patch, else the largest change of all models. */
export function meanLimit(found: OverExamples, test: SweptTest): number {
  if (test === 'patch') return 1;
  const sizes = found.sources[0].models.flatMap(({ cells }) => cells.map(({ change }) => Math.abs(change?.mean ?? 0)));
  return Math.max(...sizes) || 1;
}

/** What an ablation over examples replaces at a time. */
export type AblatedUnit = 'block' | 'mixer';

/** Why the settings of the section cannot be asked over examples; nothing where they can. */
export const refusedOverExamples = (test: SweptTest, { method }: Pick<CausalSettings, 'method'>): string | undefined =>
  test === 'ablate' && method === 'mean'
    ? 'Over examples, what is off becomes zero or its mean over each prompt itself: choose one of these above. Means over other prompts are on the command line only: statescope ablate --examples … --method mean --reference FILE.'
    : undefined;

type Asked = Pick<CausalSettings, 'point' | 'branch' | 'direction' | 'queries' | 'reads' | 'window' | 'method'>;

/** The sweep that the settings of the section ask for. */
export function sweepRequest(
  view: View,
  test: SweptTest,
  settings: Asked & { readonly unit: AblatedUnit },
  examples: readonly SnrExampleInput[] | string,
): SweepRequestInput {
  const { point, branch, direction, queries, reads, window, method, unit } = settings;
  const common = {
    models: [...new Set(view.models.map(({ name }) => name))],
    sources: [
      { name: typeof examples === 'string' ? 'stories' : 'own prompts', examples: examples as SnrExampleInput[] },
    ],
    window,
  };
  if (test === 'knockout') return { kind: 'knockout', ...common, queries, reads, ...(branch && { mixer: branch }) };
  if (test === 'ablate') {
    const stands = method === 'zero' ? { method } : { method: 'mean' as const, reference: 'self' as const };
    return { kind: 'ablate', ...common, unit, ...stands, rows: 'class' };
  }
  const mixer = isBranched(view.models, point) ? branch : '';
  return { kind: 'patch', ...common, point, direction, ...(mixer && { mixer }) };
}
