'use client';
import { memo } from 'react';
import { type CurveScale, curveScale } from '../charts/curve';
import type { LayerAxis } from '../charts/layerAxis';
import type { ModelView } from '../data/view';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { Grid } from '../ui/CurveParts';
import { type Bar, BRANCHES } from './shares';

const TOP = 24;
const PLOT = 96;
const FOOT = 18;
export const BARS_HEIGHT = TOP + PLOT + FOOT;
/** About how many numbers the axis has. */
export const TICKS = 3;

export const barScale = (bars: readonly Bar[], quantity: 'share' | 'mass'): CurveScale =>
  curveScale(quantity === 'share' ? [0, 1] : bars.map(({ whole }) => whole), false, TOP + PLOT, TOP, TICKS);

/** Width from which a bar has its branch's name below it. */
const NAMED = 40;

/** One model's bars: the needle's part filled, the noise outlined; mixer 1, λ·mixer 2 and their difference per layer. */
export const ShareBars = memo(function ShareBars(props: {
  model: ModelView;
  bars: readonly Bar[];
  axis: LayerAxis;
  scale: CurveScale;
  layer: number;
  title: string;
}) {
  const { model, bars, axis, scale, layer, title } = props;
  const room = Math.min(axis.pitch - 2, 150);
  const gap = room >= 30 ? 3 : 0;
  const width = Math.max(1, (room - 2 * gap) / BRANCHES.length);
  const base = scale.y(0);
  return (
    <svg className="layer" width={axis.width} height={BARS_HEIGHT} aria-hidden="true">
      <RowLabel y={14} slot={model.slot} text="needle" narrow={axis.narrow} />
      <AxisTicks axis={axis} layer={layer} y={14} pill={false} />
      <Grid axis={axis} scale={scale} title={title} top={TOP} bottom={TOP + PLOT} />
      {bars.map(({ layer: l, branch, needle, whole }) => {
        const k = BRANCHES.findIndex(({ value }) => value === branch);
        const x = axis.x(l) - room / 2 + k * (width + gap);
        const dimmed = branch === 'second' ? 0.45 : branch === 'first' ? 0.7 : 1;
        return (
          <g key={`${l}${branch}`}>
            <rect
              className={`share-whole ${model.slot}-line`}
              x={x + 0.5}
              y={scale.y(whole)}
              width={Math.max(0.5, width - 1)}
              height={Math.max(0, base - scale.y(whole))}
            />
            <rect
              className={`${model.slot}-fill`}
              opacity={dimmed}
              x={x}
              y={scale.y(needle)}
              width={width}
              height={Math.max(0, base - scale.y(needle))}
            />
            {width >= NAMED && (
              <text className="axis small" x={x + width / 2} y={BARS_HEIGHT - 5} textAnchor="middle">
                {BRANCHES[k].short}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
});
