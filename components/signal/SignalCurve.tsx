'use client';
import { line } from 'd3';
import { memo, useMemo } from 'react';
import type { Signal } from '@/lib/api/readings';
import { bandPath } from '@/lib/figures/band';
import { formatValue, type Maybe } from '@/lib/figures/numbers';
import { type CurveScale, curveScale } from '@/lib/figures/scale';
import { METRIC_INFO, type Metric, segments } from '../charts/curve';
import { placeLineLabels } from '../charts/labels';
import type { LayerAxis } from '../charts/layerAxis';
import { type Line, metricOnAxis } from '../data/series';
import type { View } from '../data/view';
import { AxisTicks } from '../ui/AxisParts';
import { CurveOverlay, Grid, LayerHit, NarrowTitle, useTitleRoom } from '../ui/CurveParts';
import { ModelLines } from '../ui/ModelLines';
import { usePaper } from '../ui/measure';
import type { BatchCurves } from './batchSeries';
import { DASHES, type OtherLine } from './otherTargets';
import { PaperBars, PaperLabels, paperColumns } from './PaperBars';

const between = line();

/** Room for a line's name above the highest value. */
const TOP = 18;
const BOTTOM = 8;
const NAME_WIDTH = 7.2;
const LABELS = 18;

function linesOf(
  view: View,
  signals: readonly (Signal | undefined)[],
  batch: BatchCurves | undefined,
  metric: Metric,
  paper: boolean,
): Line[] {
  const shown = <T,>(values: readonly T[]) => (paper ? paperColumns(values) : values);
  return view.models.map(({ slot, name }, k) => {
    const signal = signals[k];
    const prompt = shown<Maybe>(signal ? metricOnAxis(signal, metric, view.layers) : []);
    const estimates = batch?.models[k] && shown(batch.models[k]);
    return { slot, name, prompt, estimates, values: estimates ? estimates.map((e) => e?.mean) : prompt };
  });
}

/** One metric of both models over the layer axis: this prompt, or the mean of a batch with its interval and this prompt. */
export const SignalCurve = memo(function SignalCurve(props: {
  view: View;
  axis: LayerAxis;
  signals: readonly (Signal | undefined)[];
  batch: BatchCurves | undefined;
  metric: Metric;
  log: boolean;
  /** Bars and labels as in the paper's figure. */
  paper: boolean;
  /** Of other words than the target. */
  others: readonly OtherLine[];
}) {
  const { view, axis, signals, batch, metric, log, paper, others } = props;
  // On the page the layers stand below the curve, in the strip; a printed curve is alone.
  const printed = usePaper(({ width }) => width !== null);
  const top = TOP + useTitleRoom(axis);
  const plot = (axis.narrow ? 180 : 196) + top - TOP;
  const height = plot + (paper || printed ? LABELS : 0);
  const lines = useMemo(() => linesOf(view, signals, batch, metric, paper), [view, signals, batch, metric, paper]);
  const scale: CurveScale = useMemo(() => {
    const intervals = lines.flatMap(({ estimates = [] }) => estimates.flatMap((e) => [e?.low, e?.high]));
    const besides = others.flatMap(({ values }) => values);
    const all = [...lines.flatMap(({ values, prompt }) => [...values, ...prompt]), ...intervals, ...besides];
    return curveScale(all, log, plot - BOTTOM, top);
  }, [lines, others, log, plot, top]);
  const bands = useMemo(
    () => lines.map(({ estimates = [] }) => bandPath(estimates, (column) => axis.x(column - 1), scale.y)),
    [lines, axis, scale],
  );
  const models = useMemo(
    () => lines.map(({ slot, values, prompt }) => ({ slot, values, marked: paper && !batch ? [] : prompt })),
    [lines, paper, batch],
  );
  const names = useMemo(() => {
    const texts = lines.map(({ slot, name }) => (axis.narrow ? slot : `${slot}  ${name}`));
    // The paper's figure leaves the first two columns free.
    if (paper)
      return lines.map(({ slot }, k) => ({
        place: { x: axis.gutter + 8, y: top + 16 * (k + 1) },
        text: texts[k],
        slot,
      }));
    const places = placeLineLabels(
      lines.map(({ values }) =>
        segments(values)
          .flat()
          .map(({ layer, value }) => ({ x: axis.x(layer), y: scale.y(value) })),
      ),
      texts.map((text) => text.length * NAME_WIDTH),
      { left: axis.gutter + 4, right: axis.width - 4, top: top - TOP, bottom: plot },
    );
    return places.map((place, k) => ({ place, text: texts[k], slot: lines[k].slot }));
  }, [lines, axis, scale, plot, top, paper]);
  const info = METRIC_INFO[metric];
  const unit = paper ? 'fraction' : info.unit;
  const summary = lines
    .map(({ slot, values }) => `${slot} ${formatValue(values[view.layer + 1], info.signed)}`)
    .join(', ');
  return (
    <div
      className="figure"
      role="img"
      aria-label={`${info.name} by layer${batch ? `, mean of ${batch.n} prompts` : ''}. Layer ${view.layer}: ${summary}.`}
      data-testid="signal-curve"
      style={{ height }}
    >
      <svg className="layer" width={axis.width} height={height} aria-hidden="true">
        <Grid axis={axis} scale={scale} title={info.name} unit={unit} top={top - TOP} bottom={plot} />
        <NarrowTitle axis={axis} title={info.name} unit={unit} />
        {paper && <PaperBars lines={lines} axis={axis} scale={scale} floor={log ? plot - BOTTOM : scale.y(0)} />}
        {!paper && lines.map(({ slot }, k) => <path key={slot} className={`band ${slot}-fill`} d={bands[k]} />)}
        {others.map(({ slot, word, index, values }) => (
          <path
            key={`${slot}${word}`}
            className={`curve ${slot}-line`}
            strokeWidth="1.25"
            strokeDasharray={DASHES[index]}
            data-testid={`other-${slot}-${index}`}
            d={segments(values)
              .map((run) => between(run.map(({ layer, value }): [number, number] => [axis.x(layer), scale.y(value)])))
              .join('')}
          />
        ))}
        <ModelLines axis={axis} scale={scale} lines={models} radius={axis.narrow ? 1.8 : 2.4} joined={!paper} />
        {paper && <PaperLabels axis={axis} y={height - 5} />}
        {printed && !paper && (
          <>
            <text className="axis" x="0" y={height - 5}>
              layer
            </text>
            <AxisTicks axis={axis} layer={view.layer} y={height - 5} pill={false} />
          </>
        )}
      </svg>
      <CurveOverlay
        axis={axis}
        layer={view.layer}
        height={plot}
        lines={lines.map(({ slot, values }) => ({ key: slot, className: `${slot}-fill`, values }))}
        scale={scale}
      >
        {names.map(
          ({ place, text, slot }) =>
            place && (
              <text key={slot} className={`line-name ${slot}-fill`} x={place.x} y={place.y} xmlSpace="preserve">
                {text}
              </text>
            ),
        )}
      </CurveOverlay>
      <LayerHit axis={axis} height={height} />
    </div>
  );
});
