import type { CurveScale } from '@/lib/figures/scale';
import { axisTicks, type LayerAxis } from '../charts/layerAxis';
import type { Line } from '../data/series';

/** The paper's figure begins with the output of block 1: embedding and block 0 are not shown. */
export const paperColumns = <T,>(values: readonly T[]): (T | undefined)[] =>
  values.map((value, column) => (column < 2 ? undefined : value));

/** One bar a model and layer, with the interval of its mean as a whisker. */
export function PaperBars(props: { lines: readonly Line[]; axis: LayerAxis; scale: CurveScale; floor: number }) {
  const { lines, axis, scale, floor } = props;
  const width = Math.min(22, (axis.pitch * 0.76) / lines.length);
  return lines.map(({ slot, values, estimates }, k) => (
    <g key={slot}>
      {values.map((value, column) => {
        if (typeof value !== 'number') return null;
        const x = axis.x(column - 1) + (k - lines.length / 2) * width;
        const y = scale.y(value);
        const { low, high } = estimates?.[column] ?? {};
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: layers are known by their place.
          <g key={column}>
            <rect
              className={`${slot}-fill`}
              opacity=".75"
              x={x + 0.5}
              width={Math.max(1, width - 1)}
              y={Math.min(y, floor)}
              height={Math.abs(floor - y)}
            />
            {typeof low === 'number' && typeof high === 'number' && (
              <line stroke="var(--ink)" x1={x + width / 2} x2={x + width / 2} y1={scale.y(low)} y2={scale.y(high)} />
            )}
          </g>
        );
      })}
    </g>
  ));
}

/** The paper's labels: k is the output of block k counted from 0, and the number of blocks stands for the output. */
export function PaperLabels({ axis, y }: { axis: LayerAxis; y: number }) {
  const ticks = axisTicks(axis, -1, true).filter((layer) => layer > 0);
  return (
    <g>
      <text className="axis" x="0" y={y}>
        {axis.narrow ? 'paper' : 'in the paper'}
      </text>
      {ticks.map((layer) => (
        <text key={layer} className="axis" x={axis.x(layer)} y={y} textAnchor="middle">
          {layer}
        </text>
      ))}
    </g>
  );
}
