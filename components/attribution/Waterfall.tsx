'use client';
import { memo } from 'react';
import { formatSigned } from '@/lib/figures/numbers';
import type { CurveScale } from '@/lib/figures/scale';
import type { LayerAxis } from '../charts/layerAxis';
import type { ModelSlot } from '../state/selection';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { CurveOverlay, Grid, LayerHit, NarrowTitle, useTitleRoom } from '../ui/CurveParts';
import { PART_NAMES, type Part, runningSums, type Step } from './waterfall';

const AXIS = 22;
const PLOT = 132;
/** From this width of a column the parts are named under it. */
const NAMED = 72;

export const WATERFALL_TOP = AXIS + 8;
export const WATERFALL_BOTTOM = AXIS + PLOT - 16;
const HEIGHT = AXIS + PLOT;

const TITLE = 'logit of the target';

const SHORT: Partial<Record<Part, string>> = {
  branch_1: '1',
  minus_lambda_branch_2: '−λ2',
  attention: 'attn',
  mamba: 'Mamba',
  bias: 'bias',
  mlp: 'MLP',
};

/** One model's logit as bars from sum to sum: filled where they raise it, hollow where they lower it. */
export const Waterfall = memo(function Waterfall(props: {
  slot: ModelSlot;
  steps: readonly Step[];
  axis: LayerAxis;
  scale: CurveScale;
  layer: number;
  caption: string;
}) {
  const { slot, steps, axis, scale, layer, caption } = props;
  const room = axis.pitch * 0.8;
  const left = ({ layer: l, place, places }: Step) => axis.x(l) - room / 2 + (place * room) / places;
  const sums = runningSums(steps, axis.layers);
  const head = useTitleRoom(axis);
  return (
    <div
      className="figure"
      role="img"
      aria-label={`${caption}. Sum after layer ${layer}: ${formatSigned(sums[layer + 1])}; logit ${formatSigned(sums[sums.length - 1])}.`}
      data-testid={`waterfall-${slot}`}
      style={{ height: HEIGHT + head }}
    >
      <svg className="layer" width={axis.width} height={HEIGHT + head} aria-hidden="true">
        <NarrowTitle axis={axis} title={TITLE} />
        <g transform={`translate(0,${head})`}>
          <RowLabel y={14} slot={slot} text="logit" narrow={axis.narrow} />
          <AxisTicks axis={axis} layer={layer} y={14} pill={false} />
          <Grid axis={axis} scale={scale} title={TITLE} bottom={HEIGHT + AXIS} />
          {steps.map((step, k) => {
            const x = left(step);
            const width = Math.max(1, room / step.places - 1);
            const [top, bottom] = [scale.y(Math.max(step.from, step.to)), scale.y(Math.min(step.from, step.to))];
            const next = steps[k + 1];
            const name = SHORT[step.part];
            return (
              <g key={`${step.layer}${step.part}`}>
                {next && next.part !== 'logit' && (
                  <line
                    className="rule"
                    x1={x + width}
                    x2={left(next)}
                    y1={Math.round(scale.y(step.to)) + 0.5}
                    y2={Math.round(scale.y(step.to)) + 0.5}
                  />
                )}
                <rect
                  className={step.to < step.from ? `falls ${slot}-line` : `${slot}-fill`}
                  opacity={step.part === 'logit' ? 0.55 : undefined}
                  x={x + 0.5}
                  y={top}
                  width={Math.max(1, width - 1)}
                  height={Math.max(1, bottom - top)}
                >
                  <title>{`${PART_NAMES[step.part]} ${formatSigned(step.to - step.from)}`}</title>
                </rect>
                {name && axis.pitch >= NAMED && (
                  <text className="axis small" x={x + width / 2} y={HEIGHT - 3} textAnchor="middle">
                    {name}
                  </text>
                )}
              </g>
            );
          })}
        </g>
      </svg>
      <CurveOverlay
        axis={axis}
        layer={layer}
        height={HEIGHT}
        lines={[{ key: slot, className: 'ink', values: sums }]}
        scale={scale}
      />
      <LayerHit axis={axis} height={HEIGHT} />
    </div>
  );
});
