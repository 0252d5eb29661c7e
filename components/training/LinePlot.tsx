'use client';
import { line, scaleLinear } from 'd3';
import { formatCount, formatPlain } from '@/lib/figures/numbers';
import { curveScale } from '@/lib/figures/scale';
import type { TrainingPlot } from '../charts/training';
import { TickNumber } from '../ui/AxisParts';
import { useWidth } from '../ui/measure';

const HEIGHT = 190;
const MARGIN = { top: 10, right: 10, bottom: 24, left: 52 };

/** Curves over steps: a colour and dash an arm, a line a seed, the last value of each as a dot. */
export function LinePlot({ plot, steps }: { plot: TrainingPlot; steps: number }) {
  const [ref, width] = useWidth();
  const { title, unit, lines } = plot;
  const x = scaleLinear([0, steps], [MARGIN.left, Math.max(MARGIN.left + 1, width - MARGIN.right)]);
  const values = lines.flatMap(({ points }) => points.map(({ value }) => value));
  const y = curveScale(values, false, HEIGHT - MARGIN.bottom, MARGIN.top, 4);
  const path = line<{ step: number; value: number }>(
    ({ step }) => x(step),
    ({ value }) => y.y(value),
  );
  const said = lines.map(({ run, points }) => `${run.name} ${formatPlain(points[points.length - 1].value)}`).join('; ');
  return (
    <figure className="training-plot" ref={ref}>
      <figcaption>
        {title}
        {unit && <span className="note"> {unit}</span>}
      </figcaption>
      <svg width={width} height={HEIGHT} role="img" aria-label={`${title} over steps, last: ${said}`}>
        {y.ticks.map((tick) => (
          <g key={tick.text}>
            <line
              className={tick.zero ? 'rule' : 'grid'}
              x1={MARGIN.left}
              x2={width - MARGIN.right}
              y1={tick.y}
              y2={tick.y}
            />
            <TickNumber x={MARGIN.left - 8} y={tick.y + 3.5} text={tick.text} />
          </g>
        ))}
        {x.ticks(width < 400 ? 3 : 5).map((step) => (
          <text key={step} className="axis" x={x(step)} y={HEIGHT - 7} textAnchor="middle">
            {formatCount(step)}
          </text>
        ))}
        {lines.map(({ run, points }) => {
          const last = points[points.length - 1];
          return (
            <g key={run.folder} className={`arm arm-${run.arm % 6}`}>
              <title>{`${run.name}: ${formatPlain(last.value)} at step ${formatCount(last.step)}`}</title>
              <path d={path([...points]) ?? ''} />
              <circle cx={x(last.step)} cy={y.y(last.value)} r="2.5" />
            </g>
          );
        })}
      </svg>
    </figure>
  );
}
