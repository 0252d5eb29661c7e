import type { Measured } from '../allocation';
import type { DrawSource } from '../bootstrap';
import type { Curves, CurvesByOrder } from './faithfulness';
import type { Order } from './orders';

export interface OrderSummary {
  readonly order: Order;
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
  const area = (order: Order, which: keyof Curves) => (drawn: readonly number[]) => {
    let [inside, whole] = [0, 0];
    for (const k of drawn) {
      const { deletion, insertion } = prompts[k].get(order) as Curves;
      const [base, none] = [deletion[0], insertion[0]];
      inside += areaOf(which === 'deletion' ? deletion : insertion) - none;
      whole += base - none;
    }
    return inside / whole;
  };
  const gain = (order: Order) => (drawn: readonly number[]) =>
    area(order, 'insertion')(drawn) - area(order, 'deletion')(drawn);
  const mean = (order: Order, which: keyof Curves) => {
    const curves = prompts.map((prompt) => (prompt.get(order) as Curves)[which]);
    return Array.from(curves[0], (_, k) => curves.reduce((sum, curve) => sum + curve[k], 0) / curves.length);
  };
  return orders.map((order) => ({
    order,
    deletion_area: measured(area(order, 'deletion')),
    insertion_area: measured(area(order, 'insertion')),
    ...(orders.includes('random') &&
      order !== 'random' && {
        above_random: measured((drawn) => gain(order)(drawn) - gain('random')(drawn)),
      }),
    deletion: mean(order, 'deletion'),
    insertion: mean(order, 'insertion'),
  }));
}

/** ∫ over 0 … 1, by trapezoids. */
function areaOf(curve: Float64Array): number {
  let sum = 0;
  for (let k = 1; k < curve.length; k++) sum += (curve[k - 1] + curve[k]) / 2;
  return sum / (curve.length - 1);
}
