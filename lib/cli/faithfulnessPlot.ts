import type { OrderSummary } from '@/lib/analysis';
import { type Curve, curvesFigure } from '@/lib/figures/curves';
import { COLUMN } from '@/lib/figures/svg';
import type { Watched } from '@/lib/vocabulary';

interface Drawn {
  readonly model: string;
  readonly orders: readonly OrderSummary[];
}

const RANDOM = '#8a9096';

/** Deletion and insertion curves of every model, a row each: mean over prompts of what is watched, by share of sources. */
export function curvesSvg(models: readonly Drawn[], watch: Watched): string {
  const curvesOf = (orders: readonly OrderSummary[], kind: 'deletion' | 'insertion'): Curve[] =>
    orders.map(({ order, [kind]: values }) => ({
      name: order.replace('_', ' '),
      points: values.map((y, k) => ({ x: (100 * k) / (values.length - 1), y })),
      ...(order === 'random' && { colour: RANDOM, dashed: true }),
    }));
  return curvesFigure({
    title: 'Deletion and insertion curves',
    rows: models.map(({ model, orders }) => [
      { title: `${model}: deletion`, curves: curvesOf(orders, 'deletion'), xLabel: 'sources removed, %' },
      { title: `${model}: insertion`, curves: curvesOf(orders, 'insertion'), xLabel: 'sources given back, %' },
    ]),
    x: { label: 'sources, %' },
    y: { label: `mean over prompts, ${watch === 'logit' ? 'logits' : 'ln p of the target'}` },
    marks: false,
    width: 2 * COLUMN,
  });
}
