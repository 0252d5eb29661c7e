import { axisTicks, type LayerAxis, layerTick } from '../charts/layerAxis';
import type { ModelSlot } from '../state/selection';

/** A model's swatch inside an SVG, with its caption where there is room. */
export function RowLabel(props: { y: number; slot?: ModelSlot; text: string; narrow: boolean }) {
  const { y, slot, text, narrow } = props;
  return (
    <g transform={`translate(0,${y})`}>
      {slot && (
        <>
          <rect width="13" height="13" y="-10" rx="2" className={`${slot}-fill`} />
          <text x="6.5" y=".5" textAnchor="middle" className={`swatch on-${slot}`}>
            {slot}
          </text>
        </>
      )}
      {(!narrow || !slot) && (
        <text className="axis" x={slot ? 19 : 0}>
          {text}
        </text>
      )}
    </g>
  );
}

/** The tick labels of the layer axis; the selected layer as an ink pill, or as an emphasised tick. Without `ends` of a figure of blocks only. */
export function AxisTicks(props: { axis: LayerAxis; layer: number; y: number; pill: boolean; ends?: boolean }) {
  const { axis, layer, y, pill, ends = true } = props;
  const width = Math.min(40, Math.max(22, axis.pitch + 2));
  const x = axis.x(layer);
  return (
    <g>
      {axisTicks(axis, layer, pill, ends).map((tick) => {
        const atEdge = axis.narrow && tick === axis.layers;
        return (
          <text
            key={tick}
            className={`axis${!pill && tick === layer ? ' strong' : ''}`}
            x={axis.x(tick) + (atEdge ? 3 : 0)}
            y={y}
            textAnchor={atEdge ? 'end' : 'middle'}
          >
            {layerTick(tick, axis)}
          </text>
        );
      })}
      {pill && (
        <>
          <rect className="ink" x={x - width / 2} y={y - 12} width={width} height="16" rx="2" />
          <text className="pill" x={x} y={y} textAnchor="middle">
            {layer}
          </text>
        </>
      )}
    </g>
  );
}

/** A number on the value axis, right-aligned at x: as it is, or a base and its exponent. */
export function TickNumber(props: { x: number; y: number; text: string; exponent?: string }) {
  const { x, y, text, exponent } = props;
  return (
    <text className="axis" x={x} y={y} textAnchor="end">
      {text}
      {exponent && (
        <tspan dy="-4" fontSize="9">
          {exponent}
        </tspan>
      )}
    </text>
  );
}
