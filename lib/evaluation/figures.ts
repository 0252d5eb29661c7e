import { type Curve, curvesFigure } from '@/lib/figures/curves';
import type { Estimated } from './intervals';

/** Estimates as points of a line; places without one are left out. */
export const pointsOf = (places: readonly { readonly x: number; readonly value: Estimated | null }[], scale = 1) =>
  places.flatMap(({ x, value }) =>
    value === null
      ? []
      : [
          {
            x,
            y: scale * value.mean,
            low: value.low === null ? null : scale * value.low,
            high: value.high === null ? null : scale * value.high,
          },
        ],
  );

interface LossLine {
  readonly label: string;
  readonly by_position: readonly { readonly from: number; readonly to: number; readonly loss: Estimated }[];
}

/** The loss by how many tokens a model has read. */
export function lossFigure(models: readonly LossLine[]): string {
  const curves: Curve[] = models.map(({ label, by_position }) => ({
    name: label,
    points: pointsOf(by_position.map(({ from, to, loss }) => ({ x: Math.sqrt(from * to), value: loss }))),
  }));
  return curvesFigure({
    title: 'Loss by position',
    rows: [[{ curves }]],
    x: { label: 'tokens read before', log: true, format: tokenCount },
    y: { label: 'nats a token' },
    marks: false,
  });
}

/** 4096 → `4k`. */
export const tokenCount = (count: number): string =>
  count >= 1024 && count % 1024 === 0 ? `${count / 1024}k` : String(Math.round(count));
