import type { AttributionReply } from '@/lib/api/readings';
import { layerName } from '../charts/layerAxis';
import { type DataTable, tableOf } from '../charts/table';

export type Part = AttributionReply['components'][number]['part'] | 'logit';

/** One bar of a waterfall: what a part adds, from the sum before it to the sum after it. */
export interface Step {
  /** On the layer axis: −1 embedding, blocks, and the axis's `layers` for the logit itself. */
  readonly layer: number;
  readonly part: Part;
  readonly from: number;
  readonly to: number;
  /** Place among the parts of its layer, and how many they are. */
  readonly place: number;
  readonly places: number;
}

export const PART_NAMES: Record<Part, string> = {
  embedding: 'embedding',
  mixer: 'block',
  branch_1: 'branch 1',
  minus_lambda_branch_2: '−λ · branch 2',
  attention: 'attention',
  mamba: 'Mamba',
  bias: 'biases',
  mlp: 'MLP',
  logit: 'logit',
};

/** A logit as a sum that grows from the embedding to the output, on an axis of `layers` blocks. */
export function waterfall({ components, logit }: AttributionReply, layers: number): Step[] {
  const steps: Step[] = [];
  let sum = 0;
  for (const { block: layer, part, contribution } of components) {
    const own = components.filter(({ block }) => block === layer);
    const place = own.findIndex((component) => component.part === part);
    steps.push({ layer, part, from: sum, to: sum + contribution, place, places: own.length });
    sum += contribution;
  }
  steps.push({ layer: layers, part: 'logit', from: 0, to: logit, place: 0, places: 1 });
  return steps;
}

/** The sum after each column of the axis: embedding, blocks, output; absent where the model has no such block. */
export function runningSums(steps: readonly Step[], layers: number): (number | undefined)[] {
  const sums: (number | undefined)[] = new Array(layers + 2).fill(undefined);
  for (const { layer, to } of steps) sums[layer + 1] = to;
  return sums;
}

export const sumOf = ({ components }: AttributionReply): number =>
  components.reduce((sum, { contribution }) => sum + contribution, 0);

/** What the parts of one layer add, by part; `logit` for the output. */
export const partsAt = (steps: readonly Step[], layer: number): ReadonlyMap<Part, number> =>
  new Map(steps.filter((step) => step.layer === layer).map(({ part, from, to }) => [part, to - from]));

/** The parts that raise and lower the logit most, where any does; the embedding and biases count too. */
export function strongestParts(steps: readonly Step[]): { readonly raises?: Step; readonly lowers?: Step } {
  const change = ({ from, to }: Step) => to - from;
  const parts = steps.filter(({ part }) => part !== 'logit');
  const raises = parts.reduce<Step | undefined>(
    (best, step) => (change(step) > (best ? change(best) : 0) ? step : best),
    undefined,
  );
  const lowers = parts.reduce<Step | undefined>(
    (best, step) => (change(step) < (best ? change(best) : 0) ? step : best),
    undefined,
  );
  return { raises, lowers };
}

const PARTS = Object.keys(PART_NAMES) as Part[];

/** All contributions by layer and part, one column a model. */
export function attributionTable(
  caption: string,
  models: readonly { readonly slot: string; readonly steps: readonly Step[] }[],
  layers: number,
): DataTable {
  const rows = Array.from({ length: layers + 2 }, (_, column) => column - 1).flatMap((layer) =>
    PARTS.filter((part) => models.some(({ steps }) => partsAt(steps, layer).has(part))).map((part) => ({
      layer,
      part,
    })),
  );
  return tableOf(
    caption,
    [
      { name: 'layer', values: rows.map(({ layer }) => layerName(layer, layers)) },
      { name: 'part', values: rows.map(({ part }) => PART_NAMES[part]) },
    ],
    models.map(({ slot, steps }) => ({
      name: `contribution, logits ${slot}`,
      values: rows.map(({ layer, part }) => partsAt(steps, layer).get(part)),
    })),
  );
}
