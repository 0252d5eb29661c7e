'use client';
import { memo, useMemo } from 'react';
import type { Lens } from '@/lib/api/bodies';
import type { BlockSummary } from '@/lib/api/schemas';
import { formatPlain } from '@/lib/figures/numbers';
import type { Form } from '@/lib/vocabulary';
import type { LayerAxis } from '../charts/layerAxis';
import { useTokenTexts } from '../data/queries';
import { lensRow } from '../data/series';
import { blockName, isDiff, type ModelView, type View } from '../data/view';
import type { ShownForm } from '../state/forms';
import { clearHover, hover, useHover } from '../state/hover';
import { select, useSelection } from '../state/selection';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { HitArea } from '../ui/HitArea';
import { LensRowCanvas } from '../ui/LensRowCanvas';
import { StripThumbnails } from './StripThumbnails';
import { type StripLayout, stripLayout } from './stripLayout';

/** Short names of the forms beside the small maps; the caption below says all of it. */
const SMALL_LABELS: Readonly<Record<Form, string>> = {
  s6: 'S6 α',
  softmax: 'softmax',
  block: 'block',
  logit: 'logit',
  norm: 'norm',
};

/** What the small maps of one model are called: its own map of attention is its softmax weights. */
export function smallLabel(form: ShownForm, blocks: readonly Pick<BlockSummary, 'softmax'>[]): string {
  const attends = blocks.some(({ softmax }) => softmax !== undefined);
  return attends && form === 's6' ? 'α, softmax' : SMALL_LABELS[form];
}

/** Upper end of the λ track, unless a block has more. */
const LAMBDA_TOP = 1.8;
/** Pitch from which a bar has its value beside it. */
const VALUE_PITCH = 48;

/** λ of every differential block as a bar, λ_init as a tick. */
function LambdaTrack({ view, axis, strip }: { view: View; axis: LayerAxis; strip: StripLayout }) {
  const models = view.models.filter(({ model }) => model.blocks.some(isDiff));
  const most = Math.max(LAMBDA_TOP, ...models.flatMap(({ model }) => model.blocks.map((block) => block.lambda ?? 0)));
  const base = strip.lambdaTop + strip.lambdaHeight;
  const y = (value: number) => base - (Math.max(0, value) / most) * strip.lambdaHeight;
  const width = Math.min(10, Math.max(2, axis.pitch * 0.32));
  const named = axis.pitch >= VALUE_PITCH * models.length;
  const caption = `λ of ${models.map(({ slot }) => slot).join(', ')}, 0–${most === LAMBDA_TOP ? LAMBDA_TOP : most.toPrecision(2)}`;
  return (
    <g>
      <RowLabel y={base - 2} text={axis.narrow ? 'λ' : caption} narrow={axis.narrow} />
      <line className="grid" x1={axis.gutter} x2={axis.width} y1={base + 0.5} y2={base + 0.5} />
      {models.flatMap(({ slot, model }, k) =>
        model.blocks.map((block, layer) => {
          if (!isDiff(block) || block.lambda === null) return null;
          const x = axis.x(layer) + (models.length > 1 ? (k - 0.5) * (width + 2) : 0);
          const left = models.length > 1 && k === 0;
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: blocks are known by their place.
            <g key={`${slot}${layer}`}>
              <rect
                className={`${slot}-fill`}
                opacity=".75"
                x={x - width / 2}
                width={width}
                y={y(block.lambda)}
                height={base - y(block.lambda)}
              />
              {named && (
                <text
                  className="axis small"
                  x={x + (width / 2 + 4) * (left ? -1 : 1)}
                  y={base - 1}
                  textAnchor={left ? 'end' : 'start'}
                >
                  {formatPlain(block.lambda)}
                </text>
              )}
              {block.lambdaInit !== null && (
                <line
                  stroke="var(--ink)"
                  x1={x - width / 2 - 1.5}
                  x2={x + width / 2 + 1.5}
                  y1={y(block.lambdaInit)}
                  y2={y(block.lambdaInit)}
                />
              )}
            </g>
          );
        }),
      )}
    </g>
  );
}

/** Boxes at the selected and the hovered layer. Only this is redrawn on hover. */
function StripOverlay({ axis, strip, layer }: { axis: LayerAxis; strip: StripLayout; layer: number }) {
  const hovered = useHover((s) => s.layer);
  const box = (l: number, className: string, grow: number) => {
    const side = strip.thumbnail;
    const shown = l >= strip.first && l < strip.first + strip.count;
    const bottom = strip.thumbnailTops[strip.thumbnailTops.length - 1] + side;
    return (
      <g className={className}>
        {shown && (
          <rect
            x={Math.round(strip.thumbnailX(l) - side / 2) - grow}
            y={strip.thumbnailTops[0] - grow}
            width={side + 2 * grow}
            height={bottom - strip.thumbnailTops[0] + 2 * grow}
            rx="1"
          />
        )}
        <rect
          x={axis.x(l) - axis.pitch / 2 - 0.5}
          y={strip.lensTops[0] - 0.75}
          width={axis.pitch + 1}
          height={strip.lensTops.length * (strip.lensHeight + 1) + 0.5}
        />
      </g>
    );
  };
  return (
    <svg
      className="layer overlay"
      width={axis.width}
      height={strip.height}
      aria-hidden="true"
      data-hover-layer={hovered ?? ''}
    >
      {box(layer, 'selected', 2.25)}
      {hovered !== undefined && hovered !== layer && box(hovered, 'hovered', 1.5)}
    </svg>
  );
}

function StripLens(props: {
  axis: LayerAxis;
  strip: StripLayout;
  model: ModelView;
  lens: Lens | undefined;
  row: number;
  vocabulary: number;
}) {
  const { axis, strip, model, lens, row, vocabulary } = props;
  const textOf = useTokenTexts(model);
  const { position } = model;
  const cells = useMemo(
    () => (lens ? lensRow(lens, position, axis.layers) : new Array(axis.layers + 2).fill(undefined)),
    [lens, position, axis.layers],
  );
  return (
    <LensRowCanvas
      axis={axis}
      cells={cells}
      colour="top"
      vocabulary={vocabulary}
      height={strip.lensHeight}
      textOf={textOf}
      top={strip.lensTops[row]}
    />
  );
}

/** Thumbnails, λ and lens at the read-out, all on the curve's layer axis; a slider over the layers. */
export const LayerStrip = memo(function LayerStrip(props: {
  view: View;
  axis: LayerAxis;
  lenses: readonly (Lens | undefined)[];
  vocabulary: number;
  valueText: string;
}) {
  const { view, axis, lenses, vocabulary, valueText } = props;
  const withLambda = view.models.some(({ model }) => model.blocks.some(isDiff));
  const count = view.models.length;
  const form = useSelection((s) => s.form);
  const strip = useMemo(() => stripLayout(axis, view.layer, count, withLambda), [axis, view.layer, count, withLambda]);
  const kinds = view.models
    .map(({ slot, model }) => (model.blocks[view.layer] ? `${slot} ${blockName(model.blocks[view.layer])} block` : ''))
    .filter(Boolean)
    .join(', ');
  const [low, high] = [strip.first, strip.first + strip.count - 1];
  const point = (x: number, y: number) => {
    const layer = strip.at(x + axis.gutter, y);
    hover({ origin: 'strip', layer, ...(y >= strip.lensTops[0] && { destination: view.position }) });
  };
  return (
    <div
      className="figure"
      role="slider"
      tabIndex={0}
      data-testid="layer-strip"
      data-panel="Small maps, λ and lens by layer"
      aria-label="Layer"
      aria-valuemin={0}
      aria-valuemax={axis.layers - 1}
      aria-valuenow={view.layer}
      aria-valuetext={`layer ${view.layer}, ${kinds}, ${valueText}`}
      style={{ height: strip.height }}
    >
      <StripThumbnails view={view} strip={strip} />
      {view.models.map((model, row) => (
        <StripLens
          key={model.slot}
          axis={axis}
          strip={strip}
          model={model}
          lens={lenses[row]}
          row={row}
          vocabulary={vocabulary}
        />
      ))}
      <svg className="layer" width={axis.width} height={strip.height} aria-hidden="true">
        {!axis.narrow && (
          <text className="axis" y="14">
            layer
          </text>
        )}
        <AxisTicks axis={axis} layer={view.layer} y={14} pill />
        {strip.count < axis.layers && (
          <path
            className="grid"
            d={`M${axis.x(low) - axis.pitch / 2},${strip.axisHeight - 1}L${axis.gutter},${strip.thumbnailTops[0] - 2}M${axis.x(high) + axis.pitch / 2},${strip.axisHeight - 1}L${axis.width},${strip.thumbnailTops[0] - 2}`}
          />
        )}
        {view.models.map(({ slot, model, position }, row) => (
          <g key={slot}>
            <RowLabel
              y={strip.thumbnailTops[row] + strip.thumbnail / 2 + 4}
              slot={slot}
              text={smallLabel(form, model.blocks)}
              narrow={axis.narrow}
            />
            <RowLabel y={strip.lensTops[row] + 14} slot={slot} text={`lens @${position}`} narrow={axis.narrow} />
          </g>
        ))}
        {withLambda && <LambdaTrack view={view} axis={axis} strip={strip} />}
      </svg>
      <StripOverlay axis={axis} strip={strip} layer={view.layer} />
      <HitArea
        style={{ left: axis.gutter, width: axis.width - axis.gutter, top: 0, height: strip.height }}
        onPoint={point}
        onLeave={clearHover}
        onPick={(x, y) => select({ layer: Math.min(Math.max(0, strip.at(x + axis.gutter, y)), axis.layers - 1) })}
      />
    </div>
  );
});
