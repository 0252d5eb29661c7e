import { line } from 'd3';
import type { Maybe } from '@/lib/figures/numbers';
import type { CurveScale } from '@/lib/figures/scale';
import { coincidences, linePieces, type Point } from '../charts/coincide';
import { segments } from '../charts/curve';
import type { LayerAxis } from '../charts/layerAxis';
import type { ModelSlot } from '../state/selection';
import { Mark } from './CurveParts';

/** How much wider a mark of A is where B's stands on it: it becomes a ring around the square. */
const RING = 2;

export interface ModelLine {
  readonly slot: ModelSlot;
  readonly values: readonly Maybe[];
  /** Values with a mark of their own. */
  readonly marked: readonly Maybe[];
}

/**
 * One line a model, B over A. Where they coincide B is dashed and A's marks are rings, so that both are seen and neither is
 * known by its hue alone.
 */
export function ModelLines(props: {
  axis: LayerAxis;
  scale: CurveScale;
  lines: readonly ModelLine[];
  /** Radius of the marks. */
  radius: number;
  className?: string;
  /** Whether the lines are drawn, or their marks alone. */
  joined?: boolean;
}) {
  const { axis, scale, lines, radius, className = '', joined = true } = props;
  const path = line<Point>(
    (d) => axis.x(d.layer),
    (d) => scale.y(d.value),
  );
  const drawn = (pieces: readonly Point[][]) => pieces.map((piece) => path(piece)).join('');
  const [a, b] = lines;
  const hidden = (of: 'values' | 'marked') => (a && b ? coincidences(a[of], b[of], scale.y) : []);
  const [onLine, onMark] = [hidden('values'), hidden('marked')];
  return lines.map(({ slot, values, marked }, k) => {
    const { apart, together } = linePieces(values, k === 1 ? onLine : []);
    return (
      <g key={slot}>
        {joined && <path className={`curve ${slot}-line ${className}`} d={drawn(apart)} data-testid={`line-${slot}`} />}
        {joined && together.length > 0 && (
          <path
            className={`curve ${slot}-line ${className} together`}
            d={drawn(together)}
            data-testid="line-together"
          />
        )}
        {segments(marked)
          .flat()
          .map(({ layer, value }) => (
            <Mark
              key={layer}
              slot={slot}
              x={axis.x(layer)}
              y={scale.y(value)}
              r={radius + (k === 0 && onMark[layer + 1] ? RING : 0)}
              low={scale.below(value)}
            />
          ))}
      </g>
    );
  });
}
