import type { Measured } from '../allocation';
import type { DrawSource } from '../bootstrap';
import type { BothCurves, Curves, CurvesByOrder } from './faithfulness';
import type { Order } from './orders';

export interface CurveSummary {
  /** Area under the curve between the model with no source, 0, and the whole one, 1: low where the order finds what matters. */
  readonly deletion_area: Measured | null;
  /** The same of insertion: high where it does. */
  readonly insertion_area: Measured | null;
  /** insertion − deletion, held against that of random orders on the same prompts; absent without them. */
  readonly above_random?: Measured | null;
  /** Means over prompts of the watched value: from all sources to none, and from none to all. */
  readonly deletion: readonly number[];
  readonly insertion: readonly number[];
}

export interface OrderSummary extends CurveSummary {
  readonly order: Order;
  /** The same with every RMS norm dividing as in the untouched pass. */
  readonly frozen_norms: CurveSummary;
}

const LEVEL = 0.95;

/**
 * Curves of several prompts: ratios of sums, so that a prompt whose answer hardly rests on its sources cannot outweigh the
 * others; intervals by bootstrap over prompts, which are drawn together for all orders.
 * @param resampling none for a single prompt
 */
export function summariseFaithfulness(
  prompts: readonly CurvesByOrder[],
  resampling?: { readonly random: DrawSource; readonly resamples: number },
): OrderSummary[] {
  const orders = [...(prompts[0]?.keys() ?? [])];
  const all = prompts.map((_, k) => k);
  const draws =
    resampling && prompts.length > 1
      ? Array.from({ length: resampling.resamples }, () => all.map(() => resampling.random.integer(0, all.length - 1)))
      : [];
  const measured = (of: (drawn: readonly number[]) => number): Measured | null => {
    const mean = of(all);
    if (!Number.isFinite(mean)) return null;
    if (draws.length === 0) return { mean };
    const found = Float64Array.from(draws, of).filter(Number.isFinite).sort();
    const at = (share: number) => found[Math.round(share * (found.length - 1))];
    return { mean, low: at((1 - LEVEL) / 2), high: at((1 + LEVEL) / 2) };
  };
  type Curved = (both: BothCurves) => Curves;
  const area = (of: Curved, order: Order, which: keyof Curves) => (drawn: readonly number[]) => {
    let [inside, whole] = [0, 0];
    for (const k of drawn) {
      const { deletion, insertion } = of(prompts[k].get(order) as BothCurves);
      const [base, none] = [deletion[0], insertion[0]];
      inside += areaOf(which === 'deletion' ? deletion : insertion) - none;
      whole += base - none;
    }
    return inside / whole;
  };
  const gain = (of: Curved, order: Order) => (drawn: readonly number[]) =>
    area(of, order, 'insertion')(drawn) - area(of, order, 'deletion')(drawn);
  const mean = (of: Curved, order: Order, which: keyof Curves) => {
    const curves = prompts.map((prompt) => of(prompt.get(order) as BothCurves)[which]);
    return Array.from(curves[0], (_, k) => curves.reduce((sum, curve) => sum + curve[k], 0) / curves.length);
  };
  const summary = (of: Curved, order: Order): CurveSummary => ({
    deletion_area: measured(area(of, order, 'deletion')),
    insertion_area: measured(area(of, order, 'insertion')),
    ...(orders.includes('random') &&
      order !== 'random' && {
        above_random: measured((drawn) => gain(of, order)(drawn) - gain(of, 'random')(drawn)),
      }),
    deletion: mean(of, order, 'deletion'),
    insertion: mean(of, order, 'insertion'),
  });
  return orders.map((order) => ({
    order,
    ...summary((both) => both, order),
    frozen_norms: summary(({ frozen_norms }) => frozen_norms, order),
  }));
}

/** ∫ over 0 … 1, by trapezoids. */
function areaOf(curve: Float64Array): number {
  let sum = 0;
  for (let k = 1; k < curve.length; k++) sum += (curve[k - 1] + curve[k]) / 2;
  return sum / (curve.length - 1);
}
